/** What tshark's dissection (`-T pdml`) says of ASAP and ENRP messages. */

/** One message: its fields in order, as `name value`. */
export interface Dissected {
  /** `asap` and the message's bytes in hexadecimal. */
  readonly key: string;
  readonly fields: readonly string[] | 'malformed';
}

/** The shape: types, lengths and padding, which comparing bytes covers. */
const shape = /^(parameter_type|parameter_length|parameter_padding|message_length|cause_length)$/;
/** Shown in per cent, rounded: the value itself is taken. */
const percentage = /_(load|degradation)$/;

/** `packets`: the bytes of each frame of the capture (`packetsOf`). A message of several SCTP fragments is in no single frame: it is left out. */
export function dissected(pdml: string, packets: readonly Buffer[]): Dissected[] {
  return [...pdml.matchAll(/<packet>([^]*?)<\/packet>/g)].flatMap(([, packet = '']) => {
    const frame = Number(/<field name="num"[^>]* show="(\d+)"/.exec(packet)?.[1]);
    const malformed = packet.includes('<proto name="_ws.malformed"');
    return [...packet.matchAll(/<proto name="(asap|enrp)" [^>]*size="(\d+)" pos="(\d+)">([^]*?)<\/proto>/g)].map(([, protocol = '', size, position, body = '']) => {
      const bytes = packets[frame - 1]?.subarray(Number(position), Number(position) + Number(size));
      return { key: `${protocol} ${bytes?.toString('hex') ?? ''}`, fields: malformed ? 'malformed' as const : fieldsOf(body) };
    });
  });
}

function fieldsOf(body: string): string[] {
  return [...body.matchAll(/<field name="(?:asap|enrp)\.([a-z0-9_]+)"[^>]* show="([^"]*)" value="([^"]*)"/g)]
    .filter(([, name = '']) => !shape.test(name))
    .map(([, name = '', shown = '', value]) => `${name} ${percentage.test(name) ? Number(`0x${value}`) : plain(shown)}`);
}

/** Numbers in decimal, bytes without colons. */
function plain(shown: string): string {
  if (/^0x[0-9a-f]+$/.test(shown)) return String(Number(shown));
  return /^[0-9a-f]{2}(:[0-9a-f]{2})*$/.test(shown) && shown.includes(':') ? shown.replaceAll(':', '') : shown;
}

/** The frames of a pcap file (not pcapng), little-endian. */
export function packetsOf(file: Buffer): Buffer[] {
  const packets: Buffer[] = [];
  for (let offset = 24; offset < file.length; offset += 16 + file.readUInt32LE(offset + 8)) {
    packets.push(file.subarray(offset + 16, offset + 16 + file.readUInt32LE(offset + 8)));
  }
  return packets;
}
