import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { dissected, packetsOf } from './pdml.js';

/** Writes fields.json: what tshark reads in each message of the captures. From the project's root: `npm run build && node dist/test/interop/tshark/record.js` */

const captures = 'test/interop/pcaps';
const messages: Record<string, readonly string[] | 'malformed'> = {};
for (const file of readdirSync(captures).filter((name) => name.endsWith('.pcap')).sort()) {
  const path = join(captures, file);
  const pdml = execFileSync('tshark', ['-r', path, '-Y', 'asap || enrp', '-T', 'pdml'], { encoding: 'utf8', maxBuffer: 1 << 30, stdio: ['ignore', 'pipe', 'ignore'] });
  for (const { key, fields } of dissected(pdml, packetsOf(readFileSync(path)))) messages[key] = fields;
}
const lines = Object.entries(messages).map(([key, fields]) => `${JSON.stringify(key)}: ${JSON.stringify(fields)}`);
writeFileSync('test/interop/tshark/fields.json', `{\n${lines.join(',\n')}\n}\n`);
process.stdout.write(`${lines.length} different messages\n`);
