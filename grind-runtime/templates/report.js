"use strict";
(() => {
  const $ = (id) => document.getElementById(id);
  const all = (query) => [...document.querySelectorAll(query)];

  // ---- theme ----
  const root = document.documentElement;
  const stored = () => { try { return localStorage.getItem("grind-theme"); } catch { return null; } };
  const preferred = () => (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light");
  const onTheme = [];
  const setTheme = (theme) => { root.dataset.theme = theme; onTheme.forEach((f) => f()); };
  const switchTheme = () => {
    const theme = root.dataset.theme === "dark" ? "light" : "dark";
    try { localStorage.setItem("grind-theme", theme); } catch { /* It is kept for this page only. */ }
    setTheme(theme);
  };
  setTheme(stored() === "dark" || stored() === "light" ? stored() : preferred());
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => stored() || setTheme(preferred()));
  $("theme").addEventListener("click", switchTheme);

  // ---- findings ----
  const findings = all(".finding");
  const entries = new Map(all(".list li").map((li) => [li.dataset.of, li]));
  const search = $("search");
  const hiddenKinds = new Set();
  let hideKnown = false;
  const texts = new Map(findings.map((f) => [f, f.textContent.toLowerCase()]));
  const shown = () => findings.filter((f) => !f.hidden);
  const filter = () => {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    for (const f of findings) {
      f.hidden = hiddenKinds.has(f.dataset.kind) || (hideKnown && f.dataset.known === "true") ||
        !words.every((word) => texts.get(f).includes(word));
      const entry = entries.get(f.id);
      if (entry) entry.hidden = f.hidden;
    }
    $("none").hidden = findings.length === 0 || shown().length > 0;
  };
  search.addEventListener("input", filter);
  for (const chip of all(".chip")) {
    chip.addEventListener("click", () => {
      const on = chip.getAttribute("aria-pressed") !== "true";
      chip.setAttribute("aria-pressed", String(on));
      if ("known" in chip.dataset) hideKnown = !on;
      else if (on) hiddenKinds.delete(chip.dataset.kind);
      else hiddenKinds.add(chip.dataset.kind);
      filter();
    });
  }
  let current = null;
  const onCurrent = [];
  const select = (finding, scroll) => {
    if (current) {
      current.classList.remove("current");
      entries.get(current.id)?.firstElementChild.removeAttribute("aria-current");
    }
    current = finding;
    if (!finding) return;
    finding.classList.add("current");
    const link = entries.get(finding.id)?.firstElementChild;
    link?.setAttribute("aria-current", "true");
    link?.scrollIntoView({ block: "nearest" });
    if (scroll) { finding.scrollIntoView({ block: "start" }); finding.focus({ preventScroll: true }); }
    onCurrent.forEach((f) => f(finding));
  };
  const step = (by) => {
    const list = shown();
    if (list.length === 0) return;
    const at = list.indexOf(current);
    select(list[at < 0 ? (by > 0 ? 0 : list.length - 1) : Math.min(Math.max(at + by, 0), list.length - 1)], true);
  };
  const fromHash = () => {
    const finding = document.getElementById(location.hash.slice(1));
    if (finding?.classList.contains("finding")) select(finding, false);
  };
  addEventListener("hashchange", fromHash);
  const switchLibraries = () => document.body.classList.toggle("libs");
  for (const folded of all(".folded")) folded.addEventListener("click", switchLibraries);
  const keys = {
    j: () => step(1), k: () => step(-1), t: switchTheme, l: switchLibraries,
    "/": () => search.focus(),
  };
  addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target === search) { if (event.key === "Escape") { search.value = ""; filter(); search.blur(); } return; }
    const action = keys[event.key];
    if (action) { event.preventDefault(); action(); }
  });

  // ---- timeline ----
  const data = $("timeline");
  const timeline = data ? makeTimeline(JSON.parse(data.textContent)) : null;
  if (timeline) {
    onTheme.push(timeline.draw);
    onCurrent.push((finding) => timeline.show(finding.dataset.fingerprint));
  }
  fromHash();

  function makeTimeline(t) {
    const canvas = $("canvas"), tip = $("tip"), context = canvas.getContext("2d");
    const LABEL = 132, AXIS = 26, ROW = 46, LOCK = 7, DEPTHS = 3;
    const lanes = t.lanes.map((lane, row) => ({ ...lane, row, slices: [], points: [] }));
    const byThread = new Map(lanes.map((lane) => [lane.thread, lane]));
    for (const slice of t.slices) byThread.get(slice.thread)?.slices.push(slice);
    for (const lane of lanes) {
      lane.slices.sort((a, b) => a.begin - b.begin || b.end - a.end);
      // The latest end so far: where the search for what is visible may begin.
      let latest = 0;
      const open = [];
      lane.reach = lane.slices.map((slice) => {
        if (slice.what === "lock") {
          while (open.length && open[open.length - 1] <= slice.begin) open.pop();
          slice.depth = Math.min(open.length, DEPTHS - 1);
          open.push(slice.end);
        }
        return (latest = Math.max(latest, slice.end));
      });
    }
    const arrows = t.arrows.filter((a) => byThread.has(a.from.thread) && byThread.has(a.to.thread))
      .sort((a, b) => a.to.at - b.to.at);
    const marks = t.marks.filter((m) => byThread.has(m.point.thread)).sort((a, b) => a.point.at - b.point.at);
    const begin = 0, end = lanes.reduce((latest, lane) => Math.max(latest, lane.end), 1);
    let from = begin, to = end, width = 0, height = 0, scroll = 0, wanted = false, chosen = null, concurrent = null;

    // What is ordered with a point: the latest moment of each thread that happens before it, and the earliest that happens after it.
    const ordered = (point) => {
      const before = new Map([[point.thread, point.at]]), after = new Map([[point.thread, point.at]]);
      for (let i = arrows.length - 1; i >= 0; i--) {
        const { from: a, to: b } = arrows[i];
        if (before.has(b.thread) && b.at <= before.get(b.thread) && a.at > (before.get(a.thread) ?? -1)) before.set(a.thread, a.at);
      }
      for (const { from: a, to: b } of [...arrows].sort((x, y) => x.from.at - y.from.at)) {
        if (after.has(a.thread) && a.at >= after.get(a.thread) && b.at < (after.get(b.thread) ?? Infinity)) after.set(b.thread, b.at);
      }
      return { before, after };
    };

    const x = (at) => LABEL + ((at - from) / (to - from)) * (width - LABEL);
    const y = (lane) => AXIS + lane.row * ROW - scroll;
    const at = (px) => from + ((px - LABEL) / (width - LABEL)) * (to - from);
    const firstFrom = (list, wanted) => {
      let low = 0, high = list.length;
      while (low < high) { const mid = (low + high) >> 1; if (list[mid] < wanted) low = mid + 1; else high = mid; }
      return low;
    };
    const step = (span, room) => {
      const rough = Math.max(span / Math.max(room / 110, 1), 1), power = 10 ** Math.floor(Math.log10(rough));
      return [1, 2, 5, 10].map((m) => m * power).find((s) => s >= rough);
    };
    const style = (name) => getComputedStyle(root).getPropertyValue(name).trim();

    function paint() {
      wanted = false;
      const ratio = devicePixelRatio || 1, c = context;
      width = canvas.clientWidth;
      const full = AXIS + lanes.length * ROW + 6;
      height = Math.min(full, Math.max(innerHeight * 0.6, AXIS + ROW * 3));
      scroll = Math.min(Math.max(scroll, 0), full - height);
      canvas.style.height = `${height}px`;
      canvas.width = Math.round(width * ratio); canvas.height = Math.round(height * ratio);
      c.setTransform(ratio, 0, 0, ratio, 0, 0);
      const ink = style("--ink"), soft = style("--soft"), line = style("--line"), faint = style("--faint");
      const colors = { run: style("--run"), lock: style("--lock"), wait: style("--wait"), conc: style("--conc"), arrow: style("--arrow"), bg: style("--code"), accent: style("--t1"), error: style("--error") };
      c.clearRect(0, 0, width, height);
      c.font = `12px ${style("--sans")}`; c.textBaseline = "middle"; c.lineWidth = 1;
      const visible = lanes.filter((lane) => y(lane) + ROW > AXIS && y(lane) < height);
      // The axis.
      const every = step(to - from, width - LABEL);
      c.fillStyle = faint; c.strokeStyle = line; c.textAlign = "center";
      for (let tick = Math.ceil(from / every) * every; tick <= to; tick += every) {
        const px = Math.round(x(tick)) + 0.5;
        c.beginPath(); c.moveTo(px, AXIS - 6); c.lineTo(px, height); c.stroke();
        if (px > LABEL + 20 && px < width - 24) c.fillText(tick.toLocaleString("en"), px, AXIS / 2 - 1);
      }
      c.save();
      c.beginPath(); c.rect(LABEL, AXIS - 4, width - LABEL, height); c.clip();
      if (concurrent) for (const lane of visible) {
        if (lane.thread === chosen.point.thread) continue;
        const left = Math.max(concurrent.before.get(lane.thread) ?? lane.begin, lane.begin);
        const right = Math.min(concurrent.after.get(lane.thread) ?? lane.end, lane.end);
        if (right > left) {
          c.fillStyle = colors.conc; c.fillRect(x(left), y(lane) + 2, x(right) - x(left), ROW - 4);
          c.strokeStyle = colors.accent; c.globalAlpha = 0.5; c.setLineDash([4, 4]);
          for (const edge of [left, right]) { c.beginPath(); c.moveTo(x(edge), y(lane) + 2); c.lineTo(x(edge), y(lane) + ROW - 2); c.stroke(); }
          c.setLineDash([]); c.globalAlpha = 1;
        }
      }
      let drawn = 0;
      for (const lane of visible) {
        const top = y(lane) + 9;
        c.fillStyle = line; c.fillRect(x(lane.begin), top + 5, Math.max(x(lane.end) - x(lane.begin), 1), 2);
        // Where several slices share a pixel, the first of a kind is enough.
        const last = { run: -1, wait: -1, lock: -1 };
        for (let i = firstFrom(lane.reach, from); i < lane.slices.length && lane.slices[i].begin <= to; i++) {
          const slice = lane.slices[i], left = x(slice.begin), right = Math.max(x(slice.end), left + 1);
          if (right < LABEL || right - left <= 1 && Math.floor(left) === last[slice.what]) continue;
          last[slice.what] = Math.floor(left);
          drawn++;
          if (slice.what === "lock") {
            c.fillStyle = colors.lock; c.fillRect(left, top + 14 + slice.depth * LOCK, Math.max(right - left - 0.5, 1), LOCK - 2);
          } else if (slice.what === "wait") {
            c.strokeStyle = faint; c.fillStyle = colors.wait;
            c.fillRect(left, top + 1, right - left, 10);
            if (right - left > 4) { c.setLineDash([2, 3]); c.strokeRect(left + 0.5, top + 1.5, right - left - 1, 9); c.setLineDash([]); }
          } else {
            c.fillStyle = colors.run; c.fillRect(left, top, right - left, 12);
          }
          const room = right - Math.max(left, LABEL) - 8;
          if (room > 44 && slice.text && slice.what !== "lock") {
            c.fillStyle = soft; c.textAlign = "left"; c.fillText(fit(slice.text, room), Math.max(left, LABEL) + 4, top + 6.5);
          }
        }
      }
      c.lineWidth = 1.25;
      let arrowsDrawn = 0;
      const seen = new Set();
      for (const arrow of arrows) {
        if (arrow.to.at < from || arrow.from.at > to) continue;
        const a = byThread.get(arrow.from.thread), b = byThread.get(arrow.to.thread);
        const x1 = x(arrow.from.at), x2 = x(arrow.to.at), y1 = y(a) + 15, y2 = y(b) + 15;
        const key = `${Math.round(x1)},${Math.round(x2)},${a.row},${b.row}`;
        if (seen.has(key) || a === b) continue;
        seen.add(key);
        if (++arrowsDrawn > 4000) break;
        c.strokeStyle = c.fillStyle = arrow.what === "spawn" || arrow.what === "join" ? ink : colors.arrow;
        c.globalAlpha = arrow.what === "spawn" || arrow.what === "join" ? 0.75 : 0.6;
        const bend = Math.min(Math.abs(x2 - x1) / 2 + 8, 40);
        c.beginPath(); c.moveTo(x1, y1); c.bezierCurveTo(x1 + bend, y1, x2 - bend, y2, x2, y2); c.stroke();
        c.beginPath(); c.moveTo(x2, y2); c.lineTo(x2 - 6, y2 - 3); c.lineTo(x2 - 6, y2 + 3); c.fill();
        c.globalAlpha = 1;
      }
      c.textAlign = "center";
      for (const mark of marks) {
        if (mark.point.at < from || mark.point.at > to) continue;
        const lane = byThread.get(mark.point.thread), px = x(mark.point.at), py = y(lane) + 15, on = mark === chosen;
        c.fillStyle = colors.error; c.strokeStyle = colors.bg; c.lineWidth = 2;
        c.beginPath(); c.arc(px, py, on ? 11 : 8.5, 0, Math.PI * 2); c.fill(); c.stroke();
        c.fillStyle = "#fff"; c.font = `600 ${on ? 12 : 11}px ${style("--sans")}`; c.fillText(String(mark.number), px, py + 0.5);
      }
      c.restore();
      // Names, over whatever goes on beneath them.
      c.fillStyle = colors.bg; c.fillRect(0, 0, LABEL - 2, height);
      c.font = `12px ${style("--sans")}`; c.textAlign = "left";
      for (const lane of visible) {
        if (y(lane) + 15 < AXIS) continue;
        const name = lane.name || (lane.thread === 0 ? "main" : "");
        c.fillStyle = ink; c.font = `600 12px ${style("--sans")}`; c.fillText(`T${lane.thread}`, 10, y(lane) + 15);
        c.fillStyle = soft; c.font = `12px ${style("--sans")}`; c.fillText(fit(name, LABEL - 52), 40, y(lane) + 15);
      }
      c.fillStyle = colors.bg; c.fillRect(0, 0, LABEL - 2, AXIS);
      c.fillStyle = faint; c.fillText(fit(t.unit, LABEL - 16), 10, AXIS / 2 - 1);
      canvas.dataset.drawn = String(drawn);
    }
    function fit(text, room) {
      if (context.measureText(text).width <= room) return text;
      let low = 0, high = text.length;
      while (low < high) { const mid = (low + high + 1) >> 1; if (context.measureText(text.slice(0, mid) + "…").width <= room) low = mid; else high = mid - 1; }
      return low ? text.slice(0, low) + "…" : "";
    }
    const draw = () => { if (!wanted) { wanted = true; requestAnimationFrame(paint); } };

    // ---- moving ----
    const view = (a, b) => {
      const span = Math.min(Math.max(b - a, 4), end - begin);
      from = Math.min(Math.max(a, begin), end - span); to = from + span;
      draw();
    };
    const zoom = (factor, center = (from + to) / 2) => view(center - (center - from) * factor, center + (to - center) * factor);
    const pan = (part) => view(from + (to - from) * part, to + (to - from) * part);
    const fitAll = () => view(begin, end);
    const choose = (mark) => {
      chosen = mark; concurrent = mark ? ordered(mark.point) : null;
      for (const figure of all("figure.on")) figure.classList.remove("on");
      const owner = mark && findings.find((f) => f.dataset.fingerprint === mark.finding);
      owner?.querySelectorAll("figure")[mark.number - 1]?.classList.add("on");
      if (mark) say(`(${mark.number}) ${mark.text} by T${mark.point.thread} at ${mark.point.at.toLocaleString("en")}`);
      draw();
    };
    const say = (text) => { tip.textContent = text; };
    const toMark = (by) => {
      if (!marks.length) return;
      const index = marks.indexOf(chosen);
      const next = marks[(index < 0 ? (by > 0 ? 0 : marks.length - 1) : index + by + marks.length) % marks.length];
      choose(next);
      if (next.point.at < from || next.point.at > to) view(next.point.at - (to - from) / 2, next.point.at + (to - from) / 2);
    };
    const show = (fingerprint) => {
      const mine = marks.filter((m) => m.finding === fingerprint);
      if (!mine.length) { choose(null); say(""); return; }
      const a = mine[0].point.at, b = mine[mine.length - 1].point.at, margin = Math.max((b - a) * 0.6, (end - begin) / 40, 12);
      choose(mine[mine.length - 1]);
      view(a - margin, b + margin);
    };
    const hit = (px, py) => {
      const lane = lanes.find((l) => py >= y(l) && py < y(l) + ROW);
      const mark = marks.find((m) => Math.hypot(x(m.point.at) - px, y(byThread.get(m.point.thread)) + 15 - py) < 12);
      if (mark) return { mark };
      if (!lane || px < LABEL) return null;
      const time = at(px), slack = (to - from) / (width - LABEL);
      const low = py > y(lane) + 22;
      let found = null;
      for (let i = firstFrom(lane.reach, time - slack); i < lane.slices.length && lane.slices[i].begin <= time + slack; i++) {
        const slice = lane.slices[i];
        if (slice.end + slack >= time && (slice.what === "lock") === low) found = slice;
      }
      return found ? { slice: found, lane } : null;
    };
    const place = (event) => { const box = canvas.getBoundingClientRect(); return [event.clientX - box.left, event.clientY - box.top]; };
    let drag = null;
    canvas.addEventListener("pointerdown", (event) => { canvas.setPointerCapture(event.pointerId); drag = { x: event.clientX, y: event.clientY, from, to, scroll, moved: false }; });
    canvas.addEventListener("pointermove", (event) => {
      if (drag) {
        const by = ((event.clientX - drag.x) / (width - LABEL)) * (drag.to - drag.from);
        drag.moved ||= Math.abs(event.clientX - drag.x) + Math.abs(event.clientY - drag.y) > 4;
        scroll = drag.scroll - (event.clientY - drag.y);
        if (drag.moved) view(drag.from - by, drag.to - by);
        return;
      }
      const what = hit(...place(event));
      if (what?.mark) say(`(${what.mark.number}) ${what.mark.text} by T${what.mark.point.thread}`);
      else if (what) say(`T${what.slice.thread} ${{ run: "runs", lock: "holds", wait: "waits" }[what.slice.what]} ${what.slice.text}, ${what.slice.begin.toLocaleString("en")} to ${what.slice.end.toLocaleString("en")}`);
      canvas.style.cursor = what?.mark ? "pointer" : "";
    });
    canvas.addEventListener("pointerup", (event) => {
      const was = drag; drag = null;
      if (!was || was.moved) return;
      const what = hit(...place(event));
      if (what?.mark) {
        const finding = findings.find((f) => f.dataset.fingerprint === what.mark.finding);
        if (finding) select(finding, true);
        choose(what.mark);
      } else choose(null);
    });
    canvas.addEventListener("wheel", (event) => {
      // Without a modifier the page scrolls, unless the pointer moves sideways.
      if (event.ctrlKey || event.metaKey || event.shiftKey) { event.preventDefault(); zoom(Math.exp((event.deltaY || event.deltaX) * 0.002), at(place(event)[0])); }
      else if (Math.abs(event.deltaX) > Math.abs(event.deltaY)) { event.preventDefault(); pan(event.deltaX / (width - LABEL)); }
    }, { passive: false });
    canvas.addEventListener("dblclick", (event) => zoom(0.4, at(place(event)[0])));
    const moves = {
      ArrowLeft: () => pan(-0.15), ArrowRight: () => pan(0.15), ArrowUp: () => { scroll -= ROW; draw(); }, ArrowDown: () => { scroll += ROW; draw(); },
      "+": () => zoom(0.6), "=": () => zoom(0.6), "-": () => zoom(1 / 0.6), 0: fitAll, n: () => toMark(1), p: () => toMark(-1), Home: () => view(begin, begin + to - from), End: () => view(end - (to - from), end),
      Enter: () => { const f = findings.find((g) => g.dataset.fingerprint === chosen?.finding); if (f) select(f, true); },
    };
    canvas.addEventListener("keydown", (event) => {
      const move = moves[event.key];
      if (move && !event.ctrlKey && !event.metaKey) { event.preventDefault(); event.stopPropagation(); move(); }
    });
    $("zoom-in").addEventListener("click", () => zoom(0.6));
    $("zoom-out").addEventListener("click", () => zoom(1 / 0.6));
    $("zoom-fit").addEventListener("click", fitAll);
    new ResizeObserver(draw).observe(canvas.parentElement);
    draw();
    return { draw, show };
  }
})();
