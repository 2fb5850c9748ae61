// The page from file://, in headless Chromium: `node --test grind-web/tests/page.test.mjs`, after `grind-web/build.sh`.
//
// Chromium is spoken to over a pipe (`--remote-debugging-pipe`), for which nothing has to be installed.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath, pathToFileURL } from 'node:url';

const here = dirname(fileURLToPath(import.meta.url));
const root = join(here, '..', '..');
const guest = (path) => join(root, 'test-programs', path);
const directory = mkdtempSync(join(tmpdir(), 'grind-page-'));
let browser;

class Browser {
  #next = 1;
  #waiting = new Map();
  #events = [];

  constructor(path) {
    this.process = spawn(path, [
      '--headless', '--remote-debugging-pipe', '--no-sandbox', '--disable-gpu', '--no-first-run', `--user-data-dir=${join(directory, 'profile')}`,
    ], { stdio: ['ignore', 'ignore', 'ignore', 'pipe', 'pipe'] });
    let rest = '';
    this.process.stdio[4].on('data', (bytes) => {
      const messages = (rest + bytes).split('\0');
      rest = messages.pop();
      messages.forEach((message) => this.#take(JSON.parse(message)));
    });
  }

  #take(message) {
    if (message.id === undefined) {
      this.#events.push(message);
      return;
    }
    const { resolve, reject } = this.#waiting.get(message.id);
    this.#waiting.delete(message.id);
    if (message.error) reject(new Error(message.error.message));
    else resolve(message.result);
  }

  send(method, params = {}, sessionId = undefined) {
    const id = this.#next++;
    this.process.stdio[3].write(`${JSON.stringify({ id, method, params, sessionId })}\0`);
    return new Promise((resolve, reject) => this.#waiting.set(id, { resolve, reject }));
  }

  /** What pages threw, and said on the console as errors. */
  complaints() {
    return this.#events.filter(({ method, params }) => method === 'Runtime.exceptionThrown'
      || (method === 'Runtime.consoleAPICalled' && params.type === 'error')).map(({ params }) => JSON.stringify(params));
  }

  /** The frame of the only page that is open, when it has its document: before, it is another target, of an empty one. */
  async frame() {
    const end = performance.now() + 30_000;
    for (;;) {
      const { targetInfos } = await this.send('Target.getTargets', { filter: [{ type: 'iframe' }] });
      for (const { targetId } of targetInfos) {
        const attached = await this.send('Target.attachToTarget', { targetId, flatten: true }).catch(() => undefined);
        if (!attached) continue;
        const frame = new Page(this, attached.sessionId);
        await frame.send('Runtime.enable').catch(() => undefined);
        const there = "document.readyState === 'complete' && document.body.innerText !== ''";
        if (await frame.ask(there).catch(() => false)) return frame;
      }
      assert.ok(performance.now() < end, `no report in ${JSON.stringify(targetInfos)}`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  /** Opens a page in place of the one before: what is in the background is not drawn, and its frame may stay empty. */
  async open(url) {
    if (this.opened) await this.send('Target.closeTarget', { targetId: this.opened });
    const { targetId } = await this.send('Target.createTarget', { url: 'about:blank' });
    const { sessionId } = await this.send('Target.attachToTarget', { targetId, flatten: true });
    this.opened = targetId;
    const page = new Page(this, sessionId);
    await page.send('Runtime.enable');
    await page.send('Page.enable');
    await page.send('Page.addScriptToEvaluateOnNewDocument', { source: WATCH });
    await page.send('Page.navigate', { url });
    return page;
  }
}

/** Notes how long the page was kept from doing anything else, and what it did of what takes headers or workers. */
const WATCH = `
  globalThis.watched = { longest: 0, workers: 0 };
  globalThis.Worker = class { constructor() { watched.workers += 1; throw new Error('no workers here'); } };
  new PerformanceObserver((list) => {
    for (const { duration } of list.getEntries()) watched.longest = Math.max(watched.longest, duration);
  }).observe({ type: 'longtask', buffered: true });
`;

class Page {
  constructor(browser, session) {
    this.browser = browser;
    this.session = session;
  }

  send(method, params) {
    return this.browser.send(method, params, this.session);
  }

  async ask(expression) {
    const { result, exceptionDetails } = await this.send('Runtime.evaluate', { expression, returnByValue: true, awaitPromise: true });
    assert.equal(exceptionDetails, undefined, JSON.stringify(exceptionDetails));
    return result.value;
  }

  async until(expression, what) {
    const end = performance.now() + 30_000;
    while (!(await this.ask(expression).catch(() => false))) {
      assert.ok(performance.now() < end, `${what}: ${await this.ask('document.body.innerText')}`);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }

  async choose(...files) {
    const { root: { nodeId } } = await this.send('DOM.getDocument');
    const { nodeId: input } = await this.send('DOM.querySelector', { nodeId, selector: '#file' });
    await this.send('DOM.setFileInputFiles', { nodeId: input, files });
    await this.until("document.getElementById('progress').hidden && document.getElementById('status').textContent !== ''", 'the end');
  }

  text(id) {
    return this.ask(`document.getElementById('${id}').hidden ? '' : document.getElementById('${id}').textContent`);
  }

  report() {
    return this.ask("document.getElementById('report').hidden ? '' : document.getElementById('report').srcdoc");
  }
}

before(() => {
  browser = new Browser(process.env.CHROMIUM ?? '/usr/bin/chromium');
});

after(async () => {
  const ended = new Promise((resolve) => browser.process.once('exit', resolve));
  await browser.send('Browser.close').catch(() => browser.process.kill());
  await ended;
  rmSync(directory, { recursive: true, force: true });
});

const PAGE = pathToFileURL(join(root, 'grind-web', 'dist', 'grind.html')).href;

/** A page that has loaded what it needs, and how long that took. */
async function opened() {
  const page = await browser.open(PAGE);
  await page.until("'loaded' in document.documentElement.dataset", 'loading');
  return page;
}

test('from file://, a racy module is a report, without workers or headers', async () => {
  const page = await opened();
  await page.choose(guest('wasm/race_counter.wasm'));
  const status = await page.text('status');
  assert.match(status, /^1 finding in race_counter\.wasm, after [\d.]+ s$/);
  const took = /after ([\d.]+) s/.exec(status)[1];
  assert.equal(await page.ask('crossOriginIsolated'), false);
  assert.equal(await page.ask('typeof SharedArrayBuffer'), 'undefined');
  const report = await page.report();
  assert.match(report, /data race/i);
  const loaded = await page.ask('performance.getEntriesByType("navigation")[0].domInteractive');
  console.log(`first report ${took} s after the file, the page was there after ${(loaded / 1000).toFixed(2)} s; `
    + `longest task ${await page.ask('watched.longest')} ms (0 is below 50)`);
  assert.equal(await page.ask('watched.workers'), 0);
  assert.equal(await page.text('error'), '');
});

test('what is shown is the report of grind, and its script runs', async () => {
  const page = await opened();
  await page.choose(guest('wasm/race_counter.wasm'));
  // The frame is of an origin of its own, so that it is a target of its own.
  const frame = await browser.frame();
  assert.match(await frame.ask('document.body.innerText'), /data race/i);
  const theme = 'document.documentElement.dataset.theme';
  const before = await frame.ask(theme);
  await frame.ask("document.getElementById('theme').click()");
  assert.notEqual(await frame.ask(theme), before);
  assert.deepEqual(browser.complaints(), []);
});

test('a trace is replayed, alone or with its module', async () => {
  const { run } = await import(pathToFileURL(join(root, 'grind-web', 'dist', 'index.mjs')));
  const module = readFileSync(guest('wasm/race_counter.wasm'));
  const page = await opened();
  const whole = join(directory, 'whole.grind');
  writeFileSync(whole, (await run(module, { seed: 3, trace: true })).trace);
  await page.choose(whole);
  assert.match(await page.text('status'), /^1 finding in whole\.grind/);
  assert.match(await page.report(), /data race/i);

  const bare = join(directory, 'bare.grind');
  writeFileSync(bare, (await run(module, { seed: 3, trace: true, embedModule: false })).trace);
  await page.choose(bare);
  assert.match(await page.text('error'), /the trace has no module in it/);
  await page.choose(bare, guest('wasm/race_counter.wasm'));
  assert.match(await page.text('status'), /^1 finding in/);

  const cut = join(directory, 'cut.grind');
  writeFileSync(cut, readFileSync(whole).subarray(0, -5));
  await page.choose(cut);
  assert.match(await page.text('error'), /truncated/);
  assert.match(await page.report(), /data race/i);
});

test('what is no module is said', async () => {
  const page = await opened();
  const no = join(directory, 'no.wasm');
  writeFileSync(no, 'hello');
  await page.choose(no);
  assert.match(await page.text('error'), /not a WebAssembly module/);
  assert.equal(await page.report(), '');
  assert.equal(await page.text('alone'), '');
  // The next one is not kept from working.
  await page.choose(guest('wasm/race_counter.wasm'));
  assert.equal(await page.text('error'), '');
});

test('a module without threads is said to have none, and can be run', async () => {
  const page = await opened();
  // It exports a `_start` that does nothing.
  const alone = join(directory, 'alone.wasm');
  writeFileSync(alone, Uint8Array.of(0, 97, 115, 109, 1, 0, 0, 0, 1, 4, 1, 0x60, 0, 0, 3, 2, 1, 0, 7, 10, 1, 6, 95, 115, 116, 97, 114, 116, 0, 0, 10, 4, 1, 2, 0, 11));
  await page.choose(alone);
  assert.equal(await page.text('status'), 'There are no threads in alone.wasm, so there is nothing to check, and it was not run.');
  const why = await page.text('error');
  assert.match(why, /its memory is not shared, and it imports nothing that creates one \(.*wasi\.thread-spawn\)/);
  assert.match(why, /build it for a target with threads, as `wasm32-wasip1-threads`/);
  assert.equal(await page.report(), '');
  await page.ask("document.getElementById('once').click()");
  await page.until("/findings in/.test(document.getElementById('status').textContent)", 'the run');
  assert.match(await page.text('status'), /^0 findings in alone\.wasm/);
  assert.equal(await page.text('alone'), '');
  assert.equal(await page.text('error'), '');
  assert.match(await page.report(), /alone\.wasm/);
  // With others it is checked again.
  await page.choose(guest('wasm/race_counter.wasm'));
  assert.match(await page.text('status'), /^1 finding in race_counter\.wasm/);
});

test('the page is not kept for long while a guest runs', async () => {
  const page = await opened();
  await page.ask(`(() => {
    watched.gap = 0;
    let last = performance.now();
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => {
      const now = performance.now();
      watched.gap = Math.max(watched.gap, now - last);
      watched.gaps = (watched.gaps ?? 0) + 1;
      (watched.over ??= []).push(now - last);
      last = now;
      port2.postMessage(0);
    };
    port2.postMessage(0);
  })()`);
  await page.choose(guest('wasip1-threads/wasm/race_rayon_sort.wasm'));
  const [turns, longest, over] = await page.ask('[watched.gaps, watched.gap, watched.over.filter((gap) => gap > 16).map(Math.round)]');
  console.log(`${turns} turns; the longest was ${longest.toFixed(1)} ms; beyond 16 ms: ${JSON.stringify(over)}`);
  assert.match(await page.text('status'), /findings? in/);
  assert.ok(turns > 50, `${turns} turns`);
});
