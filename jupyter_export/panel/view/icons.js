/* The few marks that the panel shows. All are decoration: the words stand beside them. */

const ICON_PATHS = {
  down: "M4 6l4 4 4-4",
  right: "M6 4l4 4-4 4",
  cross: "M4.5 4.5l7 7M11.5 4.5l-7 7",
  plus: "M8 3.5v9M3.5 8h9",
  check: "M3.5 8.5l3 3 6-7",
  left: "M10 4L6 8l4 4",
  back: "M6 3.5L3 6.5l3 3M3.5 6.5h5.5a3 3 0 010 6H7",
};

function icon(name, extra = "") {
  return h(
    "svg",
    {
      class: `jxp-icon ${extra}`,
      viewBox: "0 0 16 16",
      width: 12,
      height: 12,
      fill: "none",
      stroke: "currentColor",
      "stroke-width": 1.6,
      "stroke-linecap": "round",
      "stroke-linejoin": "round",
      "aria-hidden": "true",
    },
    h("path", { d: ICON_PATHS[name] }),
  );
}
