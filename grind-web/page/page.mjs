// The page: what was dropped is checked or replayed, and the report is shown as grind writes it, in a frame that reaches nothing.

const at = (id) => document.getElementById(id);
let running;

const loaded = (async () => {
  const gzipped = await (await fetch(`data:application/octet-stream;base64,${WASM}`)).blob();
  const bytes = await new Response(gzipped.stream().pipeThrough(new DecompressionStream('gzip'))).arrayBuffer();
  await grind.load(bytes);
})();

/** What the form says, as options. */
function options() {
  const form = new FormData(at('options'));
  const text = (name) => form.get(name).trim();
  const words = (name) => text(name).split(/\s+/).filter(Boolean);
  const pairs = words('env').map((pair) => {
    const equals = pair.indexOf('=');
    if (equals < 1) throw new grind.GrindError(`environment: expected NAME=value, and not ${pair}`, 'options');
    return [pair.slice(0, equals), pair.slice(equals + 1)];
  });
  return { seeds: text('seeds') || undefined, args: words('args'), env: Object.fromEntries(pairs), invoke: text('invoke') || undefined };
}

/** Checks, replays, or, where there is nothing to check, runs it once. */
async function show(files, once = false) {
  running?.abort();
  const abort = new AbortController();
  running = abort;
  at('error').hidden = at('report').hidden = at('save').hidden = at('alone').hidden = true;
  at('progress').hidden = at('actions').hidden = at('stop').hidden = false;
  at('progress').removeAttribute('value');
  at('status').textContent = 'Reading…';
  const began = performance.now();
  try {
    const given = await Promise.all(files.map(async (file) => ({ name: file.name, bytes: new Uint8Array(await file.arrayBuffer()) })));
    const traces = given.filter(({ bytes }) => grind.isTrace(bytes));
    const modules = given.filter(({ bytes }) => !grind.isTrace(bytes));
    if (traces.length > 1 || modules.length > 1) throw new grind.GrindError('One module or one trace at a time.', 'options');
    await loaded;
    const common = {
      signal: abort.signal,
      onProgress: ({ runs, of, findings, words }) => {
        if (running !== abort) return;
        at('progress').max = of;
        at('progress').value = runs;
        at('status').textContent = `${runs} of ${of} runs, ${findings} findings, ${words} records`;
      },
    };
    const { args, seeds, ...others } = options();
    const [module] = modules;
    const how = { ...common, ...others, name: module?.name, args: args.length ? [module?.name, ...args] : [] };
    const report = traces.length > 0
      ? await grind.replay(traces[0].bytes, { ...common, module: module?.bytes, allowTruncated: true })
      : once ? await grind.run(module.bytes, how) : await grind.check(module.bytes, { ...how, seeds });
    await new Promise((resolve) => setTimeout(resolve));
    if (running !== abort) return;
    const html = report.html();
    at('report').srcdoc = html;
    at('report').hidden = at('save').hidden = false;
    URL.revokeObjectURL(at('save').href);
    at('save').href = URL.createObjectURL(new Blob([html], { type: 'text/html' }));
    const took = ((performance.now() - began) / 1000).toFixed(2);
    const count = report.findings.length;
    at('status').textContent = `${count === 1 ? '1 finding' : `${count} findings`} in ${given.map(({ name }) => name).join(', ')}, after ${took} s`;
    if (report.truncated) tell('The trace is truncated: the run was ended where it ends, and this is what was found until there.');
  } catch (error) {
    if (running !== abort) return;
    const names = files.map(({ name }) => name).join(', ');
    const alone = error.code === 'no-threads';
    at('status').textContent = abort.signal.aborted ? 'Stopped.'
      : alone ? `There are no threads in ${names}, so there is nothing to check, and it was not run.` : `Not checked: ${names}`;
    if (!abort.signal.aborted) tell(error.message);
    at('alone').hidden = !alone;
    at('once').onclick = () => show(files, true);
  } finally {
    if (running === abort) at('progress').hidden = at('stop').hidden = true;
  }
}

function tell(text) {
  at('error').textContent = text;
  at('error').hidden = false;
}

at('file').addEventListener('change', ({ target }) => {
  if (target.files.length) show([...target.files]);
  // The same file may be chosen again.
  target.value = '';
});
at('stop').addEventListener('click', () => running?.abort());
for (const [event, over] of [['dragover', true], ['dragleave', false], ['drop', false]]) {
  document.addEventListener(event, (happened) => {
    happened.preventDefault();
    at('drop').classList.toggle('over', over);
    const files = event === 'drop' ? [...happened.dataTransfer.files] : [];
    if (files.length) show(files);
  });
}
loaded.then(() => { document.documentElement.dataset.loaded = ''; }, (error) => tell(`grind cannot be loaded here: ${error.message}`));
