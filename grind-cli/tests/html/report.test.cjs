// The HTML report in a browser: node report.test.cjs GRIND [DIRECTORY FOR SCREENSHOTS]
//
// Needs playwright-core (NODE_PATH) and Chromium (CHROMIUM, or /usr/bin/chromium).
"use strict";
const assert = require("node:assert/strict");
const { execFileSync } = require("node:child_process");
const fs = require("node:fs");
const os = require("node:os");
const path = require("node:path");
const { pathToFileURL } = require("node:url");
const { chromium } = require("playwright-core");

const grind = path.resolve(process.argv[2]);
const shots = process.argv[3] && path.resolve(process.argv[3]);
const programs = path.join(__dirname, "../../../test-programs");
const work = fs.mkdtempSync(path.join(os.tmpdir(), "grind-html-"));
process.on("exit", () => fs.rmSync(work, { recursive: true, force: true }));

const HOSTILE = `</script><img src=x onerror="window.hacked=1"><script>window.hacked=1</script>"'\`\${window.hacked=1}`;

/** A report of a guest, as the function changes it, as a page. Returns its address. */
function page(name, guest, change) {
  const json = path.join(work, `${name}.json`);
  try {
    execFileSync(grind, ["run", "-q", "--report", `json=${json}`, guest], { cwd: programs, stdio: "ignore" });
  } catch { /* Findings make it fail. */ }
  const report = JSON.parse(fs.readFileSync(json, "utf8"));
  change?.(report);
  fs.writeFileSync(json, JSON.stringify(report));
  const html = path.join(work, `${name}.html`);
  execFileSync(grind, ["report", json, "--report", `html=${html}`], { cwd: programs });
  return pathToFileURL(html).href;
}

/** Threads that take turns with a lock, and the accesses of the first finding. */
function timeline(report, threads, rounds) {
  const t = { unit: "events", lanes: [], slices: [], arrows: [], marks: [], left_out: 0 };
  const end = threads * rounds * 10 + 200;
  t.lanes.push({ thread: 0, name: null, begin: 0, end });
  t.slices.push({ thread: 0, begin: 0, end: 100, what: "run", text: "main" });
  t.slices.push({ thread: 0, begin: 100, end, what: "wait", text: "join" });
  let at = 100, last = null;
  for (let n = 1; n <= threads; n++) {
    t.lanes.push({ thread: n, name: n % 2 ? `worker-${n}` : null, begin: n * 20, end });
    t.arrows.push({ from: { thread: 0, at: n * 20 - 5 }, to: { thread: n, at: n * 20 }, what: "spawn", text: "" });
  }
  for (let round = 0; round < rounds; round++) {
    for (let n = 1; n <= threads; n++) {
      t.slices.push({ thread: n, begin: at, end: at + 9, what: "run", text: "work" });
      if (round % 3 === 0) {
        t.slices.push({ thread: n, begin: at + 1, end: at + 8, what: "lock", text: "queue" });
        t.slices.push({ thread: n, begin: at + 3, end: at + 6, what: "lock", text: "stats" });
        if (last) t.arrows.push({ from: last, to: { thread: n, at: at + 1 }, what: "lock", text: "queue" });
        last = { thread: n, at: at + 8 };
      } else if (round % 3 === 1) {
        t.slices.push({ thread: n, begin: at + 10, end: at + threads * 10 - 1, what: "wait", text: "queue" });
      }
      at += 10;
    }
  }
  for (let n = 1; n <= threads; n++) t.arrows.push({ from: { thread: n, at: end - 60 + n }, to: { thread: 0, at: end - 30 + n }, what: "join", text: "" });
  const middle = Math.floor(at / 2);
  report.findings.forEach((finding, index) => {
    for (const number of [1, 2]) {
      const point = { thread: number, at: middle + index * 90 + number * 23 };
      t.marks.push({ point, finding: finding.fingerprint, number, text: number === 1 ? "read of 8 bytes" : "write of 8 bytes" });
    }
  });
  report.timeline = t;
}

/** Every string that a guest can choose. */
function poison(value, key) {
  if (Array.isArray(value)) return value.map((one) => poison(one, key));
  if (value && typeof value === "object") return Object.fromEntries(Object.entries(value).map(([k, v]) => [k, poison(v, k)]));
  const free = ["function", "file", "name", "title", "text", "reason", "module", "reproduce", "arguments", "limits", "warnings", "unit"];
  return typeof value === "string" && free.includes(key) ? value + HOSTILE : value;
}

(async () => {
  const browser = await chromium.launch({
    executablePath: process.env.CHROMIUM || "/usr/bin/chromium",
    args: ["--headless", "--no-sandbox", "--disable-gpu"],
  });
  const open = async (address, options = {}) => {
    const context = await browser.newContext({ viewport: { width: 1440, height: 1000 }, ...options });
    const tab = await context.newPage();
    const problems = [];
    tab.on("console", (message) => { if (["error", "warning"].includes(message.type())) problems.push(message.text()); });
    tab.on("pageerror", (error) => problems.push(String(error)));
    tab.on("request", (request) => { if (!/^(file|data):/.test(request.url())) problems.push(`asks for ${request.url()}`); });
    await tab.goto(address);
    tab.problems = problems;
    return tab;
  };
  const shot = async (tab, name, full = true) => { if (shots) await tab.screenshot({ path: path.join(shots, `${name}.png`), fullPage: full }); };
  // A browser follows a link, and says that the address changed, some time after the click.
  const current = async (tab, id) => {
    await tab.waitForFunction((wanted) => document.querySelector(".finding.current")?.id === wanted, id);
    assert.equal(await tab.locator(".finding.current").count(), 1);
  };
  const tests = {
    async "findings can be filtered, and gone through by keyboard"() {
      const tab = await open(page("two", "wasm/race_two_bugs.wasm", (report) => {
        timeline(report, 3, 24);
        const other = structuredClone(report.findings[0]);
        Object.assign(other, { kind: "lost-wakeup", fingerprint: "0".repeat(16), title: "lost wake-up: T3 waits", baseline: "known" });
        report.findings.push(other);
      }));
      await shot(tab, "light");
      const visible = () => tab.locator(".finding:visible").count();
      assert.equal(await visible(), 3);
      assert.equal(await tab.locator(".list li:visible").count(), 3);
      await tab.locator(".chip", { hasText: "Data race" }).click();
      assert.equal(await visible(), 1);
      await tab.locator(".chip", { hasText: "Data race" }).click();
      await tab.locator(".chip", { hasText: "Known" }).click();
      assert.equal(await visible(), 2);
      await tab.locator(".chip", { hasText: "Known" }).click();
      await tab.keyboard.press("/");
      await tab.keyboard.type("lost wake-up");
      assert.equal(await visible(), 1);
      await tab.keyboard.type(" nowhere");
      assert.equal(await visible(), 0);
      assert.ok(await tab.locator("#none").isVisible());
      await tab.keyboard.press("Escape");
      assert.equal(await visible(), 3);
      await tab.keyboard.press("j");
      await current(tab, "f1");
      await tab.keyboard.press("j");
      await current(tab, "f2");
      await tab.keyboard.press("k");
      await current(tab, "f1");
      const library = tab.locator("#f1 .lib").first();
      assert.equal(await library.isVisible(), false);
      await tab.keyboard.press("l");
      assert.equal(await library.isVisible(), true);
      await tab.locator("#f1 .folded").first().waitFor({ state: "hidden" });
      await tab.keyboard.press("l");
      await tab.locator("#f1 .folded").first().click();
      assert.equal(await library.isVisible(), true);
      await tab.keyboard.press("l");
      await tab.locator(".list a").nth(2).click();
      await current(tab, "f3");
      const theme = () => tab.evaluate(() => document.documentElement.dataset.theme);
      assert.equal(await theme(), "light");
      await tab.keyboard.press("t");
      assert.equal(await theme(), "dark");
      assert.deepEqual(tab.problems, []);
    },

    async "the timeline follows the findings, and moves by keyboard and pointer"() {
      const tab = await open(page("timeline", "wasm/race_two_bugs.wasm", (report) => timeline(report, 4, 40)), { colorScheme: "dark" });
      const canvas = tab.locator("#canvas");
      await canvas.focus();
      await tab.keyboard.press("n");
      assert.match(await tab.locator("#tip").textContent(), /^\(1\) read of 8 bytes by T1 at /);
      await tab.keyboard.press("n");
      assert.match(await tab.locator("#tip").textContent(), /^\(2\) write of 8 bytes by T2 at /);
      assert.equal(await tab.locator("#f1 figure.on .label").textContent(), "(2) write of 8 bytes at 0x001009d8 by thread T2");
      const drawn = async () => { await tab.waitForTimeout(120); return Number(await canvas.getAttribute("data-drawn")); };
      const whole = await drawn();
      for (let n = 0; n < 6; n++) await tab.keyboard.press("+");
      const part = await drawn();
      assert.ok(part < whole / 4, `${part} of ${whole} slices are visible`);
      await tab.keyboard.press("0");
      assert.equal(await drawn(), whole);
      await tab.keyboard.press("Enter");
      await current(tab, "f1");
      await tab.evaluate(() => scrollTo(0, 0));
      await tab.waitForTimeout(600);
      const box = await canvas.boundingBox();
      await tab.mouse.move(box.x + 600, box.y + 60);
      await tab.mouse.down();
      await tab.mouse.move(box.x + 300, box.y + 60, { steps: 5 });
      await tab.mouse.up();
      await drawn();
      await shot(tab, "dark");
      assert.deepEqual(tab.problems, []);
    },

    async "a hundred thousand events do not stall it"() {
      const address = page("large", "wasm/race_counter.wasm", (report) => timeline(report, 20, 2600));
      const tab = await open(address);
      await tab.waitForSelector("#canvas[data-drawn]");
      const slices = await tab.evaluate(() => JSON.parse(document.getElementById("timeline").textContent).slices.length);
      assert.ok(slices > 100000, `${slices} slices`);
      // What is drawn is bounded by the pixels there are, however much happened: work is counted, since time would measure the machine.
      const work = await tab.evaluate(async () => {
        const canvas = document.getElementById("canvas"), counts = [];
        const kinds = ["fillRect", "strokeRect", "fillText", "stroke", "fill"];
        let count = 0;
        for (const kind of kinds) {
          const original = CanvasRenderingContext2D.prototype[kind];
          CanvasRenderingContext2D.prototype[kind] = function (...args) { count++; return original.apply(this, args); };
        }
        canvas.focus();
        for (let n = 0; n < 20; n++) {
          count = 0;
          canvas.dispatchEvent(new KeyboardEvent("keydown", { key: n % 2 ? "ArrowRight" : "+", bubbles: true }));
          await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
          counts.push(count);
        }
        return counts;
      });
      const pixels = 1440 * 20;
      assert.ok(Math.min(...work) > 0, "every move draws");
      assert.ok(Math.max(...work) < pixels * 2, `${Math.max(...work)} things drawn on ${pixels} columns of lanes`);
      await shot(tab, "large", false);
      assert.deepEqual(tab.problems, []);
    },

    async "hostile names stay text"() {
      const address = page("hostile", "wasm/race_heap.wasm", (report) => {
        timeline(report, 2, 3);
        report.warnings.push("w");
        Object.assign(report, poison(report));
      });
      const tab = await open(address);
      await tab.keyboard.press("j");
      await tab.waitForTimeout(200);
      assert.equal(await tab.evaluate(() => window.hacked), undefined);
      assert.equal(await tab.locator("img").count(), 0);
      assert.equal(await tab.locator("script").count(), 2);
      assert.ok((await tab.locator("#f1 h2").textContent()).includes("</script><img src=x"));
      assert.deepEqual(tab.problems, []);
      // Even if something got through, the policy would not run it.
      await tab.evaluate(() => { const s = document.createElement("script"); s.textContent = "window.hacked=2"; document.body.append(s); });
      assert.equal(await tab.evaluate(() => window.hacked), undefined);
    },

    async "it is a page without a timeline, without findings, on a narrow screen, on paper"() {
      const clean = await open(page("clean", "wasm/norace_counter.wasm"));
      assert.ok(await clean.getByText("Nothing was found").isVisible());
      await shot(clean, "clean", false);
      assert.deepEqual(clean.problems, []);
      const trap = await open(page("trap", "wasm/trap_in_thread.wasm"));
      assert.equal(await trap.locator("h1").textContent(), "1 finding (1 trap)");
      assert.deepEqual(trap.problems, []);
      const narrow = await open(page("narrow", "wasm/deadlock_ab_ba.wasm"), { viewport: { width: 420, height: 900 } });
      const wide = await narrow.evaluate(() => document.documentElement.scrollWidth - innerWidth);
      assert.ok(wide <= 0, `${wide} pixels too wide`);
      await shot(narrow, "narrow");
      await narrow.emulateMedia({ media: "print" });
      assert.equal(await narrow.locator(".side").isVisible(), false);
      assert.deepEqual(narrow.problems, []);
    },
  };
  let failed = 0;
  for (const [name, test] of Object.entries(tests)) {
    try {
      await test();
      console.log(`ok - ${name}`);
    } catch (error) {
      failed++;
      console.log(`not ok - ${name}\n${error.stack}`);
    }
  }
  await browser.close();
  process.exitCode = failed ? 1 : 0;
})();
