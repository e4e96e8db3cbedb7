// Writes fields.json: what tshark reads in each message of the captures. See README.md.   node test/interop/tshark/record.mjs
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';

const here = new URL('.', import.meta.url);
const captures = new URL('../pcaps/', here);
/** The shape: types, lengths and padding, which comparing bytes covers. */
const shape = /^(parameter_type|parameter_length|parameter_padding|message_length|cause_length)$/;
/** Shown in per cent, rounded: the value itself is taken. */
const percentage = /_(load|degradation)$/;

const messages = {};
for (const file of readdirSync(captures).filter((name) => name.endsWith('.pcap')).sort()) {
  const path = new URL(file, captures).pathname;
  const packets = packetsOf(readFileSync(path));
  const pdml = execFileSync('tshark', ['-r', path, '-Y', 'asap || enrp', '-T', 'pdml'], { encoding: 'utf8', maxBuffer: 1 << 30, stdio: ['ignore', 'pipe', 'ignore'] });
  for (const [, packet] of pdml.matchAll(/<packet>([^]*?)<\/packet>/g)) {
    const frame = Number(/<field name="num"[^>]* show="(\d+)"/.exec(packet)[1]);
    for (const [, protocol, size, position, body] of packet.matchAll(/<proto name="(asap|enrp)" [^>]*size="(\d+)" pos="(\d+)">([^]*?)<\/proto>/g)) {
      const bytes = packets[frame - 1].subarray(Number(position), Number(position) + Number(size));
      const malformed = packet.includes('<proto name="_ws.malformed"');
      messages[`${protocol} ${bytes.toString('hex')}`] = malformed ? 'malformed' : fieldsOf(protocol, body);
    }
  }
}
const lines = Object.entries(messages).map(([key, fields]) => `${JSON.stringify(key)}: ${JSON.stringify(fields)}`);
writeFileSync(new URL('fields.json', here), `{\n${lines.join(',\n')}\n}\n`);
console.log(`${lines.length} different messages`);

function fieldsOf(protocol, body) {
  return [...body.matchAll(/<field name="(?:asap|enrp)\.([a-z0-9_]+)"[^>]* show="([^"]*)" value="([^"]*)"/g)]
    .filter(([, name]) => !shape.test(name))
    .map(([, name, shown, value]) => `${name} ${percentage.test(name) ? Number(`0x${value}`) : plain(shown)}`);
}

/** Numbers in decimal, bytes without colons. */
function plain(shown) {
  if (/^0x[0-9a-f]+$/.test(shown)) return String(Number(shown));
  return /^[0-9a-f]{2}(:[0-9a-f]{2})*$/.test(shown) && shown.includes(':') ? shown.replaceAll(':', '') : shown;
}

function packetsOf(file) {
  const packets = [];
  for (let offset = 24; offset < file.length; offset += 16 + file.readUInt32LE(offset + 8)) {
    packets.push(file.subarray(offset + 16, offset + 16 + file.readUInt32LE(offset + 8)));
  }
  return packets;
}
