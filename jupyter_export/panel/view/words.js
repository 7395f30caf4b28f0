/* Numbers, sizes and types as people read them. Pure; in English, as the sentences are. */

const GROUPED = new Intl.NumberFormat("en-US");

function counted(number, thing) {
  return `${GROUPED.format(number)} ${thing}${number === 1 ? "" : "s"}`;
}

function sizeWords(bytes) {
  if (bytes < 1000) {
    return counted(bytes, "byte");
  }
  let value = bytes;
  for (const unit of ["kB", "MB", "GB", "TB"]) {
    value /= 1000;
    if (value < 999.5 || unit === "TB") {
      return `${value < 99.95 ? value.toFixed(1) : value.toFixed(0)} ${unit}`;
    }
  }
}

function durationWords(seconds) {
  if (seconds < 0.095) {
    return `${Math.round(Math.max(seconds, 0) * 1000)} ms`;
  }
  if (seconds < 9.95) {
    return `${seconds.toFixed(1)} s`;
  }
  const whole = Math.round(seconds);
  if (whole < 60) {
    return `${whole} s`;
  }
  return whole < 3600
    ? `${Math.floor(whole / 60)} min ${whole % 60} s`
    : `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
}

/** `timestamp[us, tz=UTC]` -> `timestamp, UTC`; the whole name stays in the tooltip. */
function typeWords(type) {
  const zone = /^timestamp\[\w+, tz=(.+)\]$/.exec(type);
  if (zone) {
    return `timestamp, ${zone[1]}`;
  }
  const known = [
    [/^dictionary<values=([^,]+),.*$/, (found) => typeWords(found[1])],
    [/^timestamp\b.*$/, () => "timestamp"],
    [/^(large_)?(string|utf8)(_view)?$/, () => "text"],
    [/^u?int\d+$/, () => "integer"],
    [/^(halffloat|float|double|float\d+)$/, () => "float"],
    [/^date\d+.*$/, () => "date"],
    [/^time\d+.*$/, () => "time"],
    [/^duration.*$/, () => "duration"],
    [/^bool(ean)?$/, () => "true/false"],
    [/^decimal\d*\((.*)\)$/, () => "decimal"],
    [/^(large_)?(binary).*$/, () => "bytes"],
    [/^(large_|fixed_size_)?list.*$/, () => "list"],
  ];
  for (const [pattern, words] of known) {
    const found = pattern.exec(type);
    if (found) {
      return words(found);
    }
  }
  return type.length > 24 ? `${type.slice(0, 23)}…` : type;
}

function isNumberType(type) {
  return /^(u?int|float|double|halffloat|decimal)/.test(type);
}

/** `freeze_panes` or `Freeze Panes` -> `Freeze panes` */
function sentence(name) {
  const words = String(name).replaceAll("_", " ").toLowerCase();
  return words.charAt(0).toUpperCase() + words.slice(1);
}

/** Text in which a tab or an end of line can be seen. */
function visible(text) {
  return text.replaceAll("\t", "\\t").replaceAll("\n", "\\n").replaceAll("\r", "\\r");
}

function unseen(text) {
  return /^(\\[tnr])+$/.test(text)
    ? text.replaceAll("\\t", "\t").replaceAll("\\n", "\n").replaceAll("\\r", "\r")
    : text;
}

function shortened(text, most = 60) {
  return text.length > most ? `${text.slice(0, most - 1)}…` : text;
}

function sameJson(one, other) {
  if (one === other) {
    return true;
  }
  if (!one || !other || typeof one !== "object" || typeof other !== "object") {
    return false;
  }
  if (Array.isArray(one) !== Array.isArray(other)) {
    return false;
  }
  const names = Object.keys(one);
  return (
    names.length === Object.keys(other).length &&
    names.every((name) => name in other && sameJson(one[name], other[name]))
  );
}
