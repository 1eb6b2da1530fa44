// Writes the files of the built page as a C++ source: node embed.mjs <dist> <source>. The same files give the same source.
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { constants, gzipSync } from 'node:zlib';

const TYPES = { html: 'text/html; charset=utf-8', js: 'text/javascript; charset=utf-8', css: 'text/css; charset=utf-8',
  svg: 'image/svg+xml' };
const MOST_BYTES = 150 * 1024; // of all files, compressed

// One file, as an element of the table.
function element(dist, file) {
  const type = TYPES[file.split('.').pop()];
  if (!type) throw new Error(`no content type is known for ${file}`);
  const content = readFileSync(join(dist, file));
  const gzip = gzipSync(content, { level: constants.Z_BEST_COMPRESSION });
  const etag = createHash('sha256').update(content).digest('base64url').slice(0, 22);
  const octal = Array.from(gzip, (byte) => `\\${byte.toString(8).padStart(3, '0')}`);
  const lines = [];
  for (let at = 0; at < octal.length; at += 28) lines.push(`     "${octal.slice(at, at + 28).join('')}"`);
  const path = file === 'index.html' ? '/' : `/${file}`;
  const text = `    {"${path}", "${type}", "W/\\"${etag}\\"",\n     std::string_view(\n${lines.join('\n')},\n     ${gzip.length}),
     ${file.startsWith('assets/')}},\n`;
  return { text, path, bytes: gzip.length };
}

const [dist, source] = process.argv.slice(2);
const files = readdirSync(dist, { recursive: true, withFileTypes: true })
  .filter((entry) => entry.isFile()).map((entry) => relative(dist, join(entry.parentPath, entry.name))).sort();
const elements = files.map((file) => element(dist, file));
const bytes = elements.reduce((sum, one) => sum + one.bytes, 0);
console.log(`Dashboard: ${(bytes / 1024).toFixed(1)} KiB compressed: `
  + elements.map((one) => `${one.path} ${(one.bytes / 1024).toFixed(1)}`).join(', '));
if (bytes > MOST_BYTES) throw new Error(`the dashboard is larger than ${MOST_BYTES / 1024} KiB`);
writeFileSync(source, `// Made by contrib/dashboard/embed.mjs.
#include "plugin/server/dashboard.hpp"

namespace bindcast {

namespace {

constexpr DashboardFile kFiles[] = {
${elements.map((one) => one.text).join('')}};

}  // namespace

std::span<const DashboardFile> dashboard_files() noexcept {
  return kFiles;
}

}  // namespace bindcast
`);
