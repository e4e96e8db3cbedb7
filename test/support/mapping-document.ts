import { readFileSync } from 'node:fs';

/** docs/tcp-mapping.md as somebody would use it who knows nothing else: its tables, and frames built from them alone. */

export interface DocumentedFrame {
  readonly type: number;
  readonly from: string;
  readonly flags: Readonly<Record<string, number>>;
  readonly fields: Readonly<Record<string, number>>;
  readonly tail: string;
}

export class MappingDocument {
  readonly frames: Readonly<Record<string, DocumentedFrame>>;
  readonly constants: Readonly<Record<string, number>>;
  readonly modes: Readonly<Record<string, number>>;
  readonly codes: Readonly<Record<string, number>>;
  readonly asap: Readonly<Record<string, number>>;
  readonly snapshot: Readonly<Record<string, { readonly offset: number; readonly size: number }>>;

  constructor(text = readFileSync('docs/tcp-mapping.md', 'utf8')) {
    const table = (first: string): string[][] => tableOf(text, first);
    this.frames = Object.fromEntries(table('Frame').map(([name = '', type, from = '', flags, fields, tail = '']) => [name, {
      type: Number(type), from, flags: numbers(flags), fields: numbers(fields), tail: tail.split(':')[0] ?? '',
    }]));
    this.constants = Object.fromEntries(table('Constant').map(([name, value]) => [name, Number(value)]));
    this.modes = Object.fromEntries(table('Mode').map(([name, value]) => [name, Number(value)]));
    this.codes = Object.fromEntries(table('Code').map(([name, value]) => [name, Number(value)]));
    this.asap = Object.fromEntries(table('ASAP part').map(([name, value]) => [name, Number(value)]));
    this.snapshot = Object.fromEntries(table('Snapshot field').map(([name = '', offset, size]) => [name, { offset: Number(offset), size: Number(size) }]));
  }

  constant(name: string): number { return known(this.constants[name], name); }

  encode(name: string, session: number, values: Readonly<Record<string, number | string | Buffer | boolean>> = {}): Buffer {
    const { type, flags, fields } = known(this.frames[name], name);
    const body = Object.entries(fields).map(([field, size]) => fieldBytes(values[field] as number | Buffer, size));
    const tail = Buffer.from((values['tail'] ?? '') as string);
    const length = this.constant('header') + body.reduce((sum, { length }) => sum + length, 0) + tail.length;
    const header = Buffer.alloc(this.constant('header'));
    header.writeUInt32BE(length, 0);
    header[4] = type;
    header[5] = Object.entries(flags).reduce((all, [flag, bit]) => all | (values[flag] === true ? bit : 0), 0);
    header.writeUInt32BE(session, 8);
    return Buffer.concat([header, ...body, tail]);
  }

  /** `bytes` is one frame. */
  decode(bytes: Buffer): DecodedFrame {
    const found = Object.entries(this.frames).find(([, { type }]) => type === bytes[4]);
    if (found === undefined) throw new Error(`frame type ${bytes[4] ?? 0} is not in the document`);
    const [name, shape] = found;
    const values: Record<string, number | Buffer | boolean> = {};
    for (const [flag, bit] of Object.entries(shape.flags)) if ((bytes[5]! & bit) !== 0) values[flag] = true;
    let at = this.constant('header');
    for (const [field, size] of Object.entries(shape.fields)) {
      values[field] = size > 4 ? bytes.subarray(at, at + size) : bytes.readUIntBE(at, size);
      at += size;
    }
    return { name, session: bytes.readUInt32BE(8), values, tail: bytes.subarray(at) };
  }

  /** Whole frames at the beginning of `bytes`, and the rest. */
  cut(bytes: Buffer): { readonly frames: DecodedFrame[]; readonly rest: Buffer } {
    const frames: DecodedFrame[] = [];
    let rest = bytes;
    while (rest.length >= this.constant('header') && rest.length >= rest.readUInt32BE(0)) {
      const length = rest.readUInt32BE(0);
      frames.push(this.decode(rest.subarray(0, length)));
      rest = rest.subarray(length);
    }
    return { frames, rest };
  }

  /** ASAP_COOKIE or ASAP_COOKIE_ECHO. */
  encodeCookie(message: string, cookie: Buffer, snapshot?: Buffer): Buffer {
    const parameter = (type: number, value: Buffer): Buffer => {
      const bytes = Buffer.alloc(4 + Math.ceil(value.length / 4) * 4);
      bytes.writeUInt16BE(type, 0);
      bytes.writeUInt16BE(4 + value.length, 2);
      value.copy(bytes, 4);
      return bytes;
    };
    const body = Buffer.concat([parameter(known(this.asap['Cookie parameter'], 'Cookie'), cookie), ...(snapshot ? [parameter(known(this.asap['Snapshot parameter'], 'Snapshot'), snapshot)] : [])]);
    const header = Buffer.alloc(4);
    header[0] = known(this.asap[message], message);
    header.writeUInt16BE(4 + body.length, 2);
    return Buffer.concat([header, body]);
  }

  /** `snapshot` is empty where there is none. */
  decodeCookie(bytes: Buffer): { readonly type: number; readonly cookie: Buffer; readonly snapshot: Buffer } {
    const parameters = new Map<number, Buffer>();
    for (let at = 4; at < bytes.readUInt16BE(2);) {
      const length = bytes.readUInt16BE(at + 2);
      parameters.set(bytes.readUInt16BE(at), Buffer.from(bytes.subarray(at + 4, at + length)));
      at += Math.ceil(length / 4) * 4;
    }
    const value = (name: string): Buffer | undefined => parameters.get(known(this.asap[name], name));
    return { type: bytes[0]!, cookie: known(value('Cookie parameter'), 'Cookie parameter'), snapshot: value('Snapshot parameter') ?? Buffer.alloc(0) };
  }

  encodeSnapshot(values: Readonly<Record<string, number | Buffer>>): Buffer {
    const length = Math.max(...Object.values(this.snapshot).map(({ offset, size }) => offset + size));
    const bytes = Buffer.alloc(length);
    for (const [field, value] of Object.entries(values)) {
      const { offset, size } = known(this.snapshot[field], field);
      fieldBytes(value, size).copy(bytes, offset);
    }
    return bytes;
  }

  snapshotField(bytes: Buffer, field: string): number {
    const { offset, size } = known(this.snapshot[field], field);
    return bytes.readUIntBE(offset, size);
  }
}

export interface DecodedFrame {
  readonly name: string;
  readonly session: number;
  readonly values: Readonly<Record<string, number | Buffer | boolean>>;
  readonly tail: Buffer;
}

function tableOf(text: string, first: string): string[][] {
  const lines = text.split('\n');
  const start = lines.findIndex((line) => line.startsWith(`| ${first} |`));
  if (start < 0) throw new Error(`no table ${first}`);
  const end = lines.findIndex((line, index) => index > start && !line.startsWith('|'));
  return lines.slice(start + 2, end).map((line) => line.split('|').slice(1, -1).map((cell) => cell.trim()));
}

/** `more 0x01, recovery 0x02` */
function numbers(cell = ''): Record<string, number> {
  return Object.fromEntries(cell.split(',').filter((item) => item.trim() !== '').map((item) => {
    const [name = '', value] = item.trim().split(' ');
    return [name, Number(value)];
  }));
}

function fieldBytes(value: number | Buffer | undefined, size: number): Buffer {
  if (Buffer.isBuffer(value)) return value;
  const bytes = Buffer.alloc(size);
  if (value !== undefined) bytes.writeUIntBE(value, 0, size);
  return bytes;
}

function known<T>(value: T | undefined, what: string): T {
  if (value === undefined) throw new Error(`${what} is not in the document`);
  return value;
}
