import { decodeAsap, poolHandleKey, poolHandleText, type AsapMessage, type Cause, type EnrpMessage, type Generation, type PoolElement } from '../../wire/index.js';
import { ASAP_PPID, closeCodes, type Frame } from '../../wire/mapping.js';

/** Names for numbers: a registrar has the name of the host whose messages bear its identifier, a pool element that of the host it registers from. */
export class Names {
  readonly #registrars = new Map<number, string>();
  readonly #elements = new Map<number, string>();

  /** Hosts of registrars. */
  get hosts(): Iterable<string> { return this.#registrars.values(); }

  of(registrar: number): string { return this.#registrars.get(registrar) ?? hexadecimal(registrar); }
  element(peIdentifier: number | undefined): string { return peIdentifier === undefined ? 'all' : this.#elements.get(peIdentifier) ?? hexadecimal(peIdentifier); }

  meet(registrar: number, host: string): void { if (registrar !== 0 && !this.#registrars.has(registrar)) this.#registrars.set(registrar, host); }

  /** The first of a host has its name; others are told apart by their identifiers. */
  meetElement(peIdentifier: number, host: string): void {
    if (this.#elements.has(peIdentifier)) return;
    this.#elements.set(peIdentifier, [...this.#elements.values()].includes(host) ? `${host}/${peIdentifier}` : host);
  }
}

export function describeEnrp(message: EnrpMessage, names: Names): string {
  return sentence(message.type, enrpDetails(message, names));
}

function enrpDetails(message: EnrpMessage, names: Names): readonly Detail[] {
  switch (message.type) {
    case 'ENRP_PRESENCE': return [message.flags.replyRequired && 'reply required'];
    case 'ENRP_LIST_REQUEST': return [];
    case 'ENRP_LIST_RESPONSE': return [message.flags.reject ? 'rejected' : listed(message.serverInformation.map(({ serverId }) => names.of(serverId)), 'registrars')];
    case 'ENRP_HANDLE_TABLE_REQUEST': return [message.flags.ownChildrenOnly && 'own children only'];
    case 'ENRP_HANDLE_TABLE_RESPONSE': return [message.flags.reject ? 'rejected' : listed(message.poolEntries.flatMap(({ poolElements }) => poolElements.map((element) => owned(element, names))), 'elements'), message.flags.moreToSend && 'more to send'];
    case 'ENRP_HANDLE_UPDATE': return [`${message.removalRequest === undefined ? '' : 'asks for '}${message.updateAction} ${owned(message.poolElement, names)}`, generationOf(message.poolElement.generation)];
    case 'ENRP_INIT_TAKEOVER': case 'ENRP_INIT_TAKEOVER_ACK': case 'ENRP_TAKEOVER_SERVER': return [`target ${names.of(message.targetingServer)}`];
    case 'ENRP_ERROR': return message.error.map((cause) => describeCause(cause, names));
  }
}

export function describeAsap(message: AsapMessage, names: Names): string {
  return sentence(message.type, asapDetails(message, names));
}

function asapDetails(message: AsapMessage, names: Names): readonly Detail[] {
  const causes = 'error' in message ? (message.error ?? []).map((cause) => describeCause(cause, names)) : [];
  switch (message.type) {
    case 'ASAP_REGISTRATION': return [`${names.element(message.poolElement.identifier)} in ${handle(message.poolHandle)}`];
    case 'ASAP_REGISTRATION_RESPONSE': return [message.flags.reject ? 'rejected' : `${names.element(message.peIdentifier)} accepted`, generationOf(message.generation), ...causes];
    case 'ASAP_DEREGISTRATION': case 'ASAP_DEREGISTRATION_RESPONSE': return [names.element(message.peIdentifier), ...causes];
    case 'ASAP_HANDLE_RESOLUTION': return [handle(message.poolHandle), message.flags.sendUpdates && 'with updates'];
    case 'ASAP_HANDLE_RESOLUTION_RESPONSE': return [causes.length === 0 && `${handle(message.poolHandle)} = ${listed(message.poolElements.map(({ identifier }) => names.element(identifier)), 'elements')}`, ...causes];
    case 'ASAP_ENDPOINT_KEEP_ALIVE': return [`${names.element(message.peIdentifier)}`, message.flags.home && `home ${names.of(message.serverIdentifier)}`, generationOf(message.generation)];
    case 'ASAP_ENDPOINT_KEEP_ALIVE_ACK': case 'ASAP_ENDPOINT_UNREACHABLE': return [names.element(message.peIdentifier)];
    case 'ASAP_SERVER_ANNOUNCE': return [names.of(message.serverIdentifier)];
    case 'ASAP_BUSINESS_CARD': return [listed(message.failoverOrder.map(({ identifier }) => names.element(identifier)), 'elements')];
    default: return causes;
  }
}

/** A frame of a session's data link; the number behind its name is the session's on this link. */
export function describeFrame(frame: Frame): string {
  switch (frame.type) {
    case 'OPEN': return `OPEN ${frame.session} epoch ${frame.epoch}${frame.echo === true ? ' with echo' : ''}${frame.rendezvous === true ? ' rendezvous' : ''} ${frame.tail.toString()}`;
    case 'ACCEPT': return `ACCEPT ${frame.session}${frame.stateful === true ? ' stateful' : ''}${frame.streaming === true ? ' streaming' : ''}`;
    case 'DATA': return describeData(frame);
    case 'REPLY': return `REPLY ${frame.session} to ${frame.recovery === true ? 'callback ' : ''}${frame.id}.${frame.index} ${text(frame.tail)}${frame.done === true ? ', DONE' : ''}`;
    case 'DONE': return `DONE ${frame.session} ${frame.recovery === true ? 'callback ' : frame.cumulative === true ? 'up to ' : ''}${frame.id}`;
    case 'ACK': return `ACK ${frame.session} ${frame.id}`;
    case 'REFUSE': case 'CLOSE': return `${frame.type} ${frame.session} ${Object.entries(closeCodes).find(([, code]) => code === frame.code)?.[0] ?? frame.code}`;
    case 'WINDOW': return `WINDOW ${frame.session} ${frame.bytes}`;
    case 'MOVE': return `MOVE ${frame.session}`;
    default: return frame.type;
  }
}

function describeData(frame: Frame<'DATA'>): string {
  if (frame.ppid === ASAP_PPID) {
    const { message } = decodeAsap(frame.tail);
    if (message.type === 'ASAP_BUSINESS_CARD') return `${message.type} ${handle(message.poolHandle)}: ${listed(message.failoverOrder.map(({ identifier }) => hexadecimal(identifier)), 'elements')}`;
    return `${message.type} ${frame.session}${'cookie' in message ? ` ${text(Buffer.from(message.cookie))}` : ''}`;
  }
  const kind = frame.id === 0 ? 'unprompted' : `${frame.recovery === true ? 'callback ' : ''}${frame.id}`;
  return `DATA ${frame.session} ${kind} ${text(frame.tail)}`;
}

type Detail = string | false | undefined;

const sentence = (type: string, details: readonly Detail[]): string => [type, details.filter((detail) => typeof detail === 'string' && detail !== '').join(', ')].join(' ').trimEnd();
const listed = (names: readonly string[], what: string): string => (names.length === 0 ? `no ${what}` : names.length > FEW ? `${names.length} ${what}` : names.join(', '));
const owned = ({ identifier, homeRegistrar }: PoolElement, names: Names): string => `${names.element(identifier)} of ${names.of(homeRegistrar)}`;
const generationOf = (generation: Generation | undefined): Detail => generation && `generation ${generation.generation}`;
const handle = (bytes: Uint8Array): string => poolHandleText(poolHandleKey(bytes));
const hexadecimal = (id: number): string => `0x${id.toString(16).padStart(8, '0')}`;
const text = (bytes: Buffer): string => (bytes.length > 40 ? `(${bytes.length} bytes)` : bytes.toString());

/** What a cause of ours to a takeover names is the target. */
function describeCause(cause: Cause, names: Names): string {
  const information = 'information' in cause && cause.information?.length === 4 ? ` target ${names.of(Buffer.from(cause.information).readUInt32BE(0))}` : '';
  return `${String(cause.cause)}${information}`;
}

/** Of more only the number is said. */
const FEW = 6;
