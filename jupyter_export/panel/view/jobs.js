/* This notebook's recent exports, live. */

const ACTIVE = ["pending", "running"];
const STATUS_MARKS = { completed: "●", failed: "✕", cancelled: "○", expired: "○" };

function jobPath(job) {
  return job.result?.path || job.spec?.output?.path || "";
}

function jobTitle(job) {
  return jobPath(job).split(/[\\/]/).pop() || job.name;
}

function jobFacts(job) {
  const { result } = job;
  const files = result.files?.length > 1 ? [counted(result.files.length, "file")] : [];
  const taken = (Date.parse(job.finished_at) - Date.parse(job.created_at)) / 1000;
  return [
    counted(result.rows, "row"),
    ...files,
    sizeWords(result.bytes),
    ...(Number.isFinite(taken) ? [durationWords(taken)] : []),
  ].join(" · ");
}

function drawJobs(view) {
  const jobs = view.model.get("jobs") || [];
  return h(
    "section",
    {
      class: "jxp-section jxp-section-jobs",
      "data-jxp": "jobs",
      "aria-labelledby": view.id("jobs"),
      key: "jobs",
      hidden: !jobs.length,
    },
    h(
      "h4",
      { class: "jxp-heading" },
      h("span", { id: view.id("jobs") }, "Recent exports"),
      h("span", { class: "jxp-hint" }, "of this notebook and its folder"),
    ),
    h(
      "ul",
      { class: "jxp-jobs" },
      jobs.map((job) => keep(job.id, [job], () => drawJob(view, job))),
    ),
  );
}

function drawJob(view, job) {
  const draw =
    { completed: drawCompleted, pending: drawActive, running: drawActive }[job.status] || drawEnded;
  return h(
    "li",
    { class: "jxp-job", "data-job": job.id, "data-status": job.status },
    draw(view, job),
  );
}

function drawActive(view, job) {
  const {
    phase,
    rows,
    total_rows: total,
    percent,
    rows_per_second: speed,
    eta_seconds: left,
  } = job.progress || {};
  const share = percent ?? (total ? (100 * rows) / total : null);
  const known = [];
  if (speed) {
    known.push(
      `${GROUPED.format(speed >= 10000 ? Math.round(speed / 1000) * 1000 : Math.round(speed))}/s`,
    );
  }
  if (left !== null && left !== undefined && rows) {
    known.push(`${left < 60 ? `${Math.max(1, Math.ceil(left))} s` : durationWords(left)} left`);
  }
  const done = rows
    ? total
      ? `${GROUPED.format(rows)} of ${counted(total, "row")}`
      : counted(rows, "row")
    : "";
  return h(
    "div",
    { class: "jxp-row", key: "row" },
    h("b", { class: "jxp-job-title", title: jobPath(job) }, jobTitle(job)),
    h("span", { class: "jxp-pill" }, job.status === "pending" ? "waiting" : phase),
    h(
      "span",
      {
        class: `jxp-bar ${share === null ? "jxp-unknown" : ""}`,
        role: "progressbar",
        "aria-label": `Progress of ${jobTitle(job)}`,
        "aria-valuemin": "0",
        "aria-valuemax": "100",
        "aria-valuenow": share === null ? null : Math.floor(share),
      },
      h("i", { style: { width: `${share ?? 30}%` } }),
    ),
    h("span", { class: "jxp-num" }, done),
    h("span", { class: "jxp-muted jxp-num" }, known.join(" · ")),
    button("Cancel", () => view.send({ do: "cancel", id: job.id }), {
      "aria-label": `Cancel ${jobTitle(job)}`,
    }),
  );
}

function drawCompleted(view, job) {
  const losses = job.result.losses || [];
  const changed = new Set(losses.map(({ dataset, column }) => `${dataset} ${column}`)).size;
  return h(
    "div",
    { class: "jxp-row", key: "row" },
    h("span", { class: "jxp-ok", "aria-hidden": "true" }, STATUS_MARKS.completed),
    h("b", { class: "jxp-job-title", title: jobPath(job) }, jobTitle(job)),
    h("span", { class: "jxp-muted jxp-num" }, jobFacts(job)),
    changed > 0 &&
      h(
        "span",
        {
          class: "jxp-warn",
          title: losses.map(({ column, message }) => `${column}: ${message}`).join("\n"),
        },
        `▲ ${counted(changed, "column")} changed`,
      ),
    h("span", { class: "jxp-space" }),
    h("span", { class: "jxp-links", key: "links" }, openButton(job), downloadLink(job)),
  );
}

/** JupyterLab and Notebook follow its attributes, and open the file in a tab of their own; the
 * path counts from the server's root. Elsewhere nothing could open it. */
function openButton(job) {
  const { path } = job.result;
  const jupyter = document.getElementById("jupyter-config-data");
  if (!jupyter || !job.links?.open || /^([\\/~]|[a-z]:|[a-z0-9+]+:\/\/)/i.test(path)) {
    return null;
  }
  return button("Open", null, {
    "aria-label": `Open ${jobTitle(job)}`,
    "data-commandlinker-command": "docmanager:open",
    "data-commandlinker-args": JSON.stringify({ path }),
  });
}

/** A link within this site; an address of any other kind is not followed. */
function downloadLink(job) {
  const address = job.links?.download;
  if (!address || (/^\s*[a-z][a-z0-9+.-]*:/i.test(address) && !/^https?:/i.test(address))) {
    return null;
  }
  const props = {
    class: "jxp-button",
    href: address,
    download: "",
    target: "_blank",
    rel: "noopener",
  };
  return h("a", { ...props, "aria-label": `Download ${jobTitle(job)}` }, "Download");
}

function drawEnded(view, job) {
  const failed = job.status === "failed";
  const { error } = job;
  const said = error && error.code !== "cancelled" ? error.message : job.status;
  return h(
    "div",
    { class: "jxp-row", key: "row" },
    h(
      "span",
      { class: failed ? "jxp-err" : "", "aria-hidden": "true" },
      STATUS_MARKS[job.status] || "○",
    ),
    h("b", { class: "jxp-job-title", title: jobPath(job) }, jobTitle(job)),
    h("span", { class: failed ? "" : "jxp-muted" }, said || "failed"),
    failed && error?.hint && h("span", { class: "jxp-muted" }, error.hint),
  );
}
