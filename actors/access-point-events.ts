import type { RserpoolError } from '../errors.js';
import type { ServerInfo } from './servers.js';
import type { ReceivedInfo } from './session-messages.js';

/** Names one element of a pool (RFC 5352 §6.5.3). */
export interface PoolElementHandle {
  readonly handle: string | Uint8Array;
  /** PE identifier. */
  readonly identifier: number;
}

/** What becomes known on a service access point outside of the sessions that `connect` opens, which have events of their own. */
export interface AccessPointEvents {
  /** DATA_RECEIVED_NOTIFICATION: answers to what `rsp.send` has sent. A promise that is returned holds the message's credit (D-21). */
  data: (data: Buffer, info: AccessPointData) => unknown;
  /** FAILOVER_INDICATION (draft §4.3). */
  failover: (info: AccessPointFailover) => void;
  /** Error.Report (RFC 5352 §6.7): also what a rejected promise says that nobody awaited. */
  error: (error: RserpoolError, details: ErrorReport) => void;
}

export interface AccessPointData extends Omit<ReceivedInfo, 'from'> {
  /** Its sender; the transport address where it was sent to an address. */
  readonly from: PoolElementHandle | string;
}

export interface AccessPointFailover {
  readonly from: PoolElementHandle;
  /** The element selected now. */
  readonly to: PoolElementHandle;
  /** Messages that are sent again; 0 where no data services are used. */
  readonly resent: number;
  /** Why `from` was left; undefined where it asked for it. */
  readonly cause: unknown;
  /** Without data services (`initialize({ failoverIndication: true })`): whose server it was, and where `to` is. */
  readonly caller?: string;
  readonly server?: ServerInfo;
}

/** What an `'error'` event is about. */
export interface ErrorReport {
  /** To whom the message was sent: the pool element, or the transport address; undefined before one was chosen. */
  readonly destination?: PoolElementHandle | string | undefined;
  /** The message that is not known to be delivered. */
  readonly undelivered?: Buffer;
}
