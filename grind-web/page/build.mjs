// Writes what is made of templates: package.json, and the page as one file, with all that it needs in it.
//
//     node build.mjs DIST
//
// A page from file:// may load neither modules nor WebAssembly from beside it. So the scripts are put together to one, and the
// WebAssembly, gzipped, is text in it.

import { readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';

const here = dirname(fileURLToPath(import.meta.url));
const dist = process.argv[2];
const read = (...path) => readFileSync(join(...path), 'utf8');

const [, version] = /^\[workspace\.package\]\s+version = "([^"]+)"/m.exec(read(here, '..', '..', 'Cargo.toml'));
const manifest = {
  ...JSON.parse(read(here, '..', 'js', 'package.json')),
  version,
};
writeFileSync(join(dist, 'package.json'), `${JSON.stringify(manifest, null, 2)}\n`);

/** A module as a function that returns what it exports. */
function asFunction(source, imports) {
  const names = [];
  const body = source
    .replace(/^import .*$/gm, '')
    .replace(/^export \{([^}]*)\};?$/gm, (_, list) => {
      names.push(...list.split(',').map((item) => item.trim().split(/\s+as\s+/)).map(([from, to]) => `${to ?? from}: ${from}`));
      return '';
    })
    .replace(/^export default (\w+);?$/gm, (_, name) => {
      names.push(`default: ${name}`);
      return '';
    })
    .replace(/^export ((?:async )?(?:function|class|const|let) (\w+))/gm, (_, what, name) => {
      names.push(name);
      return what;
    })
    // It is of the module that this was.
    .replaceAll('import.meta.url', 'document.baseURI');
  if (/^(import|export)\b/m.test(body)) throw new Error('a form of import or export that is not known here');
  return `((${imports}) => {\n${body}\nreturn { ${names.join(', ')} };\n})`;
}

const bindings = asFunction(read(dist, 'grind.js'), '');
const api = asFunction(read(dist, 'index.mjs'), '{ default: init, Checker, lastPanic, version: versionOf }');
const wasm = gzipSync(readFileSync(join(dist, 'grind_bg.wasm')), { level: 9 }).toString('base64');
const script = [
  `const WASM = '${wasm}';`,
  `const grind = ${api}(${bindings}());`,
  read(here, 'page.mjs'),
].join('\n').replaceAll('</script', '<\\/script');

const page = read(here, 'index.html')
  .replace('/* style */', () => read(here, 'page.css'))
  .replace('/* script */', () => script);
writeFileSync(join(dist, 'grind.html'), page);
