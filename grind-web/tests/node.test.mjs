// The package in Node: `node --test grind-web/tests/node.test.mjs`, after `grind-web/build.sh`.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { gzipSync } from 'node:zlib';

const here = dirname(fileURLToPath(import.meta.url));
const root = join(here, '..', '..');
const dist = join(root, 'grind-web', 'dist');
const { check, run, replay, isTrace, version, load, GrindError } = await import(pathToFileURL(join(dist, 'index.mjs')));

const guest = (path) => readFileSync(join(root, 'test-programs', path));
const racy = guest('wasm/race_counter.wasm');
const text = (bytes) => new TextDecoder().decode(bytes);
const kinds = (report) => report.findings.map(({ kind }) => kind);
/** Spins for long without touching memory, in one thread. */
const SPINS = guest('wasip1-threads/wasm/clean_spin_sleep.wasm');

/** The error of a promise that has to fail, with this code. */
async function fails(promise, code) {
  const error = await promise.then(() => assert.fail('it did not fail'), (error) => error);
  assert.ok(error instanceof GrindError, String(error.stack));
  assert.equal(error.code, code, error.message);
  return error;
}

/** How the command exits. */
function exitsWith(command, args, directory) {
  try {
    execFileSync(command, args, { cwd: directory, stdio: 'pipe' });
    return 0;
  } catch (error) {
    return error.status;
  }
}

test('many seeds are one report', async () => {
  const report = await check(racy, { seeds: [0, 20], name: 'race_counter.wasm' });
  assert.deepEqual(kinds(report), ['data-race']);
  assert.equal(report.exitCode, 66);
  assert.equal(report.schedules.run, 20);
});

// How long that takes is for docs/web.md, and depends on the machine: it is printed, and fails nothing.
test('a process that has compiled nothing comes to a report', () => {
  const first = `
    const began = performance.now();
    const { check } = await import(${JSON.stringify(pathToFileURL(join(dist, 'index.mjs')))});
    const { readFile } = await import('node:fs/promises');
    const report = await check(await readFile(${JSON.stringify(join(root, 'test-programs', 'wasm/race_counter.wasm'))}));
    console.log(report.findings.length, performance.now() - began);`;
  const said = execFileSync(process.execPath, ['--input-type=module', '--eval', first], { encoding: 'utf8' });
  const [findings, took] = said.split(' ').map(Number);
  console.log(`first report after ${took.toFixed(0)} ms`);
  assert.equal(findings, 1);
});

test('the module is small', () => {
  const bytes = gzipSync(readFileSync(join(dist, 'grind_bg.wasm')), { level: 9 }).length
    + gzipSync(readFileSync(join(dist, 'grind.js')), { level: 9 }).length;
  console.log(`${bytes} bytes, gzipped`);
  assert.ok(bytes <= 1.5 * 1024 * 1024, `${bytes} bytes`);
});

test('a report is JSON, text and a page', async () => {
  const report = await check(racy, { seeds: 3, name: 'race_counter.wasm' });
  assert.match(report.text(), /data race/i);
  assert.match(report.html(), /^<!doctype html>/i);
  assert.match(report.html(), /race_counter/);
  assert.deepEqual(JSON.parse(report.render('json')).findings, report.findings);
  assert.throws(() => report.render('xml'), { code: 'options' });
  assert.match(report.reproduce, /^grind run --seed \d+ race_counter\.wasm$/);
});

test('options are those of WASI in Node, and those of @emnapi/wasi-threads change nothing', async () => {
  const printed = [];
  const report = await run(guest('wasm/clean_arguments.wasm'), {
    version: 'preview1',
    returnOnExit: true,
    preopens: {},
    args: ['app', 'one', 'two words'],
    env: { NAME: 'value', NOTHING: undefined },
    stdout: (bytes) => printed.push(text(bytes)),
    reuseWorker: { size: 4, strict: true },
    waitThreadStart: 1000,
    onCreateWorker() {
      assert.fail('there is no worker');
    },
  });
  assert.equal(report.exitCode, 0, report.text());
  assert.match(printed.join(''), /one/);
  assert.match(printed.join(''), /two words/);
  assert.equal(report.stdout.length, 0);
});

test('what the guest prints is in the report, of many seeds once', async () => {
  const module = guest('wasm/clean_counter_mutex.wasm');
  const once = await run(module, { seed: 1 });
  const many = await check(module, { seeds: [0, 5] });
  assert.ok(once.stdout.length > 0);
  assert.equal(text(many.stdout), text(once.stdout));
});

test('progress is told, up to the last run', async () => {
  const told = [];
  await check(racy, { seeds: [5, 15], onProgress: (progress) => told.push(progress) });
  assert.deepEqual({ ...told.at(-1), words: 0 }, { runs: 10, of: 10, findings: 1, words: 0 });
  assert.ok(told.every(({ words }, at) => at === 0 || words >= told[at - 1].words));
});

test('failFast ends at the first seed that shows something', async () => {
  const report = await check(racy, { seeds: [0, 1000], failFast: true });
  assert.ok(report.schedules === undefined || report.schedules.run < 1000);
  assert.equal(report.findings.length, 1);
});

test('a signal ends it, before and in the middle of a run', async () => {
  await assert.rejects(check(racy, { signal: AbortSignal.abort() }), { name: 'AbortError' });
  const abort = new AbortController();
  const reason = new Error('enough');
  const long = run(SPINS, { signal: abort.signal, onProgress: () => abort.abort(reason) });
  await assert.rejects(long, reason);
});

test('the event loop turns while a guest runs', async () => {
  // What comes first takes its time by itself, and is measured apart: it is translated, and set up.
  const module = guest('wasip1-threads/wasm/clean_rayon_sort.wasm');
  let turns = 0;
  let longest = 0;
  let last = performance.now();
  const every = setInterval(() => {
    const now = performance.now();
    longest = Math.max(longest, now - last);
    last = now;
    turns += 1;
  }, 0);
  await check(module, { seeds: [0, 5] });
  clearInterval(every);
  console.log(`${turns} turns, the longest took ${longest.toFixed(1)} ms`);
  assert.ok(turns > 20, `${turns} turns`);
});

test('traces go from here to here', async () => {
  const recorded = await run(racy, { seed: 3, trace: true });
  assert.ok(isTrace(recorded.trace));
  const replayed = await replay(recorded.trace);
  assert.equal(replayed.command, 'replay');
  assert.deepEqual(kinds(replayed), kinds(recorded));
  assert.ok(replayed.timeline.lanes ?? replayed.timeline, 'a short run has a timeline');
  // Not embedded, the module has to be given, and has to be the one.
  const without = await run(racy, { seed: 3, trace: 'full', embedModule: false });
  await fails(replay(without.trace), 'no-module');
  assert.deepEqual(kinds(await replay(without.trace, { module: racy })), kinds(recorded));
  await fails(replay(without.trace, { module: guest('wasm/clean_counter_mutex.wasm') }), 'other-module');
});

// ---- what people report of threads in pages --------------------------------------------------------------------------------

test('a child that panics while main joins is a report, and no hang', async () => {
  const report = await check(guest('wasip1-threads/wasm/trap_panic.wasm'), { seeds: [0, 5] });
  assert.deepEqual(kinds(report), ['trap']);
  assert.equal(report.exitCode, 134);
  assert.match(report.text(), /panic/);
});

test('pools are made by a thread that is not main: of std over a channel, and of rayon', async () => {
  const name = 'race_pool_in_thread.wasm';
  const racy = await check(guest(`wasip1-threads/wasm/${name}`), { seeds: [0, 10], name });
  assert.deepEqual(kinds(racy), ['data-race']);
  assert.equal(text(racy.stdout), '5051\n');
  assert.match(racy.text(), /--> src\/bin\/race_pool_in_thread\.rs:18:/);
  const right = await check(guest('wasip1-threads/wasm/norace_pool_in_thread.wasm'), { seeds: [0, 10] });
  assert.equal(right.exitCode, 0, right.text());
  assert.equal(text(right.stdout), '5051\n');
});

test('threads are created by threads that are not main', async () => {
  const nested = await check(guest('wasm/clean_nested_spawn.wasm'), { seeds: [0, 3] });
  assert.equal(nested.exitCode, 0, nested.text());
  assert.equal(text(nested.stdout), '1275\n');
  const pool = await check(guest('wasip1-threads/wasm/clean_rayon_scope.wasm'), { seeds: [0, 3] });
  assert.equal(pool.exitCode, 0, pool.text());
  assert.equal(text(pool.stdout), '610 15 3\n');
});

test('destructors of thread-locals run', async () => {
  for (const [path, printed] of [['wasip1-threads/wasm/clean_thread_locals.wasm', '6 3\n'], ['wasm/clean_thread_locals.wasm', '3 3 0\n']]) {
    const report = await check(guest(path), { seeds: [0, 5] });
    assert.equal(report.exitCode, 0, report.text());
    assert.equal(text(report.stdout), printed);
  }
});

test('main may wait', async () => {
  for (const path of ['wasm/clean_park_unpark.wasm', 'wasm/clean_condvar.wasm', 'wasip1-threads/wasm/clean_condvar_barrier.wasm']) {
    const report = await check(guest(path), { seeds: [0, 5] });
    assert.equal(report.exitCode, 0, report.text());
  }
  const stuck = await check(guest('wasm/deadlock_park.wasm'), { seeds: [0, 5] });
  assert.ok(kinds(stuck).some((kind) => kind === 'deadlock' || kind === 'lost-wakeup'), kinds(stuck).join());
});

test('contention in parking_lot is told, which cannot wait on this target', async () => {
  const fine = await check(guest('wasip1-threads/wasm/clean_parking_lot.wasm'), { seeds: [0, 5] });
  assert.equal(fine.exitCode, 0, fine.text());
  const report = await check(guest('wasip1-threads/wasm/trap_parking_lot.wasm'), { seeds: [0, 20] });
  assert.ok(kinds(report).includes('trap'), report.text());
  assert.match(report.text(), /Parking not supported/);
});

// ---- files -----------------------------------------------------------------------------------------------------------------

const FILES = guest('wasip1/wasm/files.wasm');
const WRITES = guest('wasip1-threads/wasm/clean_files.wasm');

test('guests have files in memory, each run as they are given, and what the first left of them is there', async () => {
  const files = { 'work/in.txt': 'one two', '/work/kept/bytes': Uint8Array.of(1, 0, 2), '/elsewhere': new Uint8Array(3).buffer };
  const report = await check(WRITES, { seeds: [0, 5], files, preopens: { '/work': '/work' } });
  assert.equal(report.exitCode, 0, report.text());
  assert.equal(text(report.stdout), '2 files\n');
  assert.deepEqual(Object.keys(report.files), ['/elsewhere', '/work/kept/bytes', '/work/out/one.txt', '/work/out/two.txt']);
  assert.equal(text(report.files['/work/out/two.txt']), 'TWO');
  assert.deepEqual(report.files['/work/kept/bytes'], Uint8Array.of(1, 0, 2));
  // With nothing said the guest sees all of them.
  const all = await run(WRITES, { files });
  assert.deepEqual(Object.keys(all.files), Object.keys(report.files));
  assert.match(all.reproduce, / --dir \.::\/ /);
  // What is not among the directories is not there, and without files nothing is.
  assert.equal(text((await run(WRITES, { files, preopens: { '/work': '/work/kept' } })).stdout), 'no files\n');
  assert.deepEqual((await run(WRITES)).files, {});
});

test('what std does with files works', async () => {
  const report = await run(FILES, { files: { '/w/': '' }, preopens: { '/work': '/w' } });
  assert.equal(report.exitCode, 0, report.text() + text(report.stderr));
  assert.deepEqual(report.files, {});
});

test('a directory that is not in the files is said', async () => {
  const said = await fails(run(FILES, { preopens: { '/work': process.cwd() } }), 'options');
  assert.match(said.message, /no directory .* in `files`.* slash at its end/);
});

// ---- bad input -------------------------------------------------------------------------------------------------------------

test('a module without threads says so, and can be run', async () => {
  // It exports a `_start` that does nothing.
  const empty = Uint8Array.of(0, 97, 115, 109, 1, 0, 0, 0, 1, 4, 1, 0x60, 0, 0, 3, 2, 1, 0, 7, 10, 1, 6, 95, 115, 116, 97, 114, 116, 0, 0, 10, 4, 1, 2, 0, 11);
  const said = await fails(check(empty), 'no-threads');
  assert.match(said.message, /has no threads/);
  assert.equal((await run(empty)).exitCode, 0);
});

test('bytes that are no module', async () => {
  assert.match((await fails(check(new TextEncoder().encode('hello')), 'module')).message, /not a WebAssembly module/);
  await fails(check(new Uint8Array()), 'module');
  assert.match((await fails(check(racy.subarray(0, racy.length / 2)), 'module')).message, /truncated/);
  const recorded = await run(racy, { trace: true });
  assert.match((await fails(check(recorded.trace), 'module')).message, /a trace/);
  assert.match((await fails(replay(racy), 'trace')).message, /not a grind trace/);
  await fails(check('app.wasm'), 'options');
});

test('a truncated trace', async () => {
  const { trace } = await run(racy, { seed: 3, trace: true });
  await fails(replay(trace.subarray(0, 40)), 'truncated');
  const cut = trace.subarray(0, trace.length - 5);
  const error = await fails(replay(cut), 'truncated');
  assert.equal(error.report.truncated, true);
  const report = await replay(cut, { allowTruncated: true });
  assert.match(report.warnings.join(), /truncated/);
  const bent = trace.slice();
  bent[bent.length >> 1] ^= 0xff;
  assert.match((await fails(replay(bent), 'trace')).message, /corrupt/);
});

test('options that make no sense', async () => {
  assert.match((await fails(check(racy, { sedes: [0, 1] }), 'options')).message, /unknown field `sedes`/);
  for (const options of [
    { seeds: [3, 3] }, { seeds: -1 }, { seeds: 'all' }, { seeds: [0, 1, 2] }, { scheduler: 'none such' }, { stdout: 'file' },
    { files: { '../a': 'a' } }, { files: { '/a': 1 } }, { files: 'a' }, { files: { '/a': '', '/a/b': '' } }, { preopens: { '/': '/none' } },
    { preopens: { '/': 1 } }, { preopens: 'a' }, { files: { '/a': '' }, preopens: { '/': '/a' } }, { env: { 'A=B': '' } }, { trace: true }, { maxThreads: 'many' },
  ]) {
    await fails(check(racy, options), 'options');
  }
  await fails(run(racy, { seeds: [0, 1] }), 'options');
  await fails(check(racy, null), 'options');
  await fails(run(racy, { invoke: 'no_such_function' }), 'run');
});

test('it can be loaded first, and says its version', async () => {
  await load();
  const manifest = JSON.parse(readFileSync(join(dist, 'package.json')));
  assert.equal(await version(), manifest.version);
});

// ---- the command -----------------------------------------------------------------------------------------------------------

const command = process.env.GRIND;
test('the command reads traces of here, and the other way round', { skip: !command && 'GRIND does not name the command' }, async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'grind-web-'));
  t.after(() => rmSync(directory, { recursive: true }));
  const place = (name) => join(directory, name);
  const grind = (...args) => exitsWith(command, args, directory);
  const of = (path) => JSON.parse(readFileSync(place(path))).findings.map(({ fingerprint }) => fingerprint);
  writeFileSync(place('app.wasm'), racy);
  for (const detail of ['light', 'full']) {
    const here = await run(racy, { seed: 7, trace: detail, name: 'app.wasm' });
    writeFileSync(place('here.grind'), here.trace);
    assert.equal(grind('replay', '--report', 'json=here.json', 'here.grind'), 66);
    assert.deepEqual(of('here.json'), here.findings.map(({ fingerprint }) => fingerprint));

    assert.equal(grind('run', '--seed', '7', `--trace=${detail}`, '--trace-file', 'there.grind', '--embed-module', 'app.wasm'), 66);
    const there = await replay(readFileSync(place('there.grind')));
    assert.deepEqual(there.findings.map(({ fingerprint }) => fingerprint), of('here.json'));
    assert.ok(statSync(place('there.grind')).size < here.trace.length, 'the command compresses, and this does not');
  }
  // The same seed is the same run.
  assert.equal(grind('run', '--seeds', '0..20', '--report', 'json=there.json', 'app.wasm'), 66);
  const here = await check(racy, { seeds: [0, 20] });
  assert.deepEqual(here.findings.map(({ fingerprint, count }) => [fingerprint, count]),
    JSON.parse(readFileSync(place('there.json'))).findings.map(({ fingerprint, count }) => [fingerprint, count]));
});

test('the command replays runs with files of here, and the other way round', { skip: !command && 'GRIND does not name the command' }, async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'grind-web-'));
  t.after(() => rmSync(directory, { recursive: true }));
  const place = (name) => join(directory, name);
  for (const [module, files, printed] of [
    [WRITES, { '/work/in.txt': 'one two' }, '2 files\n'], [FILES, { '/work/': '' }, undefined],
  ]) {
    const here = await run(module, { seed: 3, trace: true, files, preopens: { '/work': '/work' } });
    assert.equal(here.exitCode, 0, here.text());
    writeFileSync(place('here.grind'), here.trace);
    const said = execFileSync(command, ['replay', 'here.grind'], { cwd: directory, encoding: 'utf8', stdio: 'pipe' });
    if (printed !== undefined) assert.equal(said, printed);

    // The same on disk, in a directory that is made for it.
    writeFileSync(place('app.wasm'), module);
    rmSync(place('work'), { recursive: true, force: true });
    mkdirSync(place('work'));
    for (const [path, contents] of Object.entries(files)) {
      if (!path.endsWith('/')) writeFileSync(place(path.slice(1)), contents);
    }
    const args = ['run', '--seed', '3', '--trace', '--trace-file', 'there.grind', '--embed-module', '--dir', 'work::/work', 'app.wasm'];
    assert.equal(exitsWith(command, args, directory), 0);
    const left = Object.keys(here.files).map((path) => [path, readFileSync(place(path.slice(1)), 'utf8')]);
    assert.deepEqual(left, Object.entries(here.files).map(([path, bytes]) => [path, text(bytes)]));
    const there = await replay(readFileSync(place('there.grind')));
    assert.equal(there.exitCode, 0, there.text());
    if (printed !== undefined) assert.equal(text(there.stdout), printed);
    assert.deepEqual(there.files, {});
  }
});

// ---- the documents ---------------------------------------------------------------------------------------------------------

test('the examples of docs/web.md run', async () => {
  const page = readFileSync(join(root, 'docs', 'web.md'), 'utf8');
  const examples = [...page.matchAll(/^```js\n(.*?)^```$/gms)].map(([, code]) => code);
  assert.ok(examples.length >= 3);
  const directory = mkdtempSync(join(tmpdir(), 'grind-web-'));
  try {
    writeFileSync(join(directory, 'app.wasm'), racy);
    for (const [index, code] of examples.entries()) {
      const file = join(directory, `${index}.mjs`);
      writeFileSync(file, code.replaceAll("'grind-web'", `'${pathToFileURL(join(dist, 'index.mjs'))}'`));
      execFileSync(process.execPath, [file], { cwd: directory, stdio: 'pipe' });
    }
  } finally {
    rmSync(directory, { recursive: true });
  }
});
