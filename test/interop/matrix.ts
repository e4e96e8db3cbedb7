/** What is run against RSPLIB and the kernel's SCTP, and what is to be. docs/interop.md has the same table; test/documents/interop.test.ts compares, and looks
 *  which scenarios test/interop/live has. */
export interface Scenario {
  /** Who plays what; `-` where that side has no part. */
  readonly rsplib: string;
  readonly ours: string;
  readonly title: string;
}

export const matrix = {
  // RSPLIB with itself: what its programs do here, and how quickly, is what ours are measured by
  A1: { rsplib: 'registrar, PEs, PU', ours: '-', title: 'echo: registration, resolution, an unknown pool, deregistration' },
  A2: { rsplib: 'registrar, PEs, PU', ours: '-', title: 'ping-pong: a PE is killed, the PU goes on elsewhere by its cookie' },
  A3: { rsplib: 'registrar, PEs, PU', ours: '-', title: 'ping-pong: a PE vanishes without a word' },
  A4: { rsplib: 'registrars, PE', ours: '-', title: 'a second registrar joins, is told the handlespace and its changes' },
  A5: { rsplib: 'registrars, PE', ours: '-', title: 'takeover after a registrar vanishes' },

  // the transport alone
  K1: { rsplib: '-', ours: 'transport', title: 'messages of 1 byte to 64 KiB, both ways, each side connecting' },
  K2: { rsplib: '-', ours: 'transport', title: 'payload protocol ids and streams arrive as they were sent' },
  K3: { rsplib: '-', ours: 'transport', title: 'shutdown from either side loses nothing' },
  K4: { rsplib: '-', ours: 'transport', title: 'abort from either side' },
  K5: { rsplib: '-', ours: 'transport', title: 'a peer that restarts is a loss and a new association' },
  K6: { rsplib: '-', ours: 'transport', title: 'silence is noticed within its bound' },

  // messages of our codec over our transport, put there by the test: not our roles
  W1: { rsplib: 'registrar', ours: 'messages', title: 'registration, keep-alives, resolution, deregistration, with our parameters in them' },
  W2: { rsplib: 'registrar', ours: 'messages', title: 'a registration life of 30 (seconds for us, milliseconds for RSPLIB): the element stays while it answers keep-alives' },
  W3: { rsplib: 'PE', ours: 'messages', title: 'rspserver registers, acknowledges keep-alives with and without an identifier, deregisters' },
  W4: { rsplib: 'registrar, PU', ours: 'messages', title: 'rspterminal is sent to us by rspregistrar, and served' },

  // a pool element
  E1: { rsplib: 'registrar', ours: 'PE', title: 'registration, keep-alives, re-registration, deregistration' },
  E2: { rsplib: 'registrar', ours: 'PE', title: 'expiry, and removal by unreachable reports' },
  E3: { rsplib: 'PE', ours: 'registrar', title: 'rspserver registers, answers keep-alives, deregisters' },
  E4: { rsplib: 'PE', ours: 'registrar', title: 'removal when it is killed, and when it falls silent' },
  E5: { rsplib: 'registrars', ours: 'PE', title: 'a registrar that takes the PE over reaches it at its ASAP port' },
  E6: { rsplib: 'PE', ours: 'registrar', title: 'expiry, and removal by unreachable reports' },

  // a pool user
  U1: { rsplib: 'registrar, PE', ours: 'PU', title: 'echo' },
  U2: { rsplib: 'registrar, PE', ours: 'PU', title: 'ping-pong' },
  U3: { rsplib: 'registrar, PU', ours: 'PE', title: 'rspterminal with our echo' },
  U4: { rsplib: 'registrar, PU', ours: 'PE', title: 'the ping-pong user with our ping-pong' },
  U5: { rsplib: 'PE, PU', ours: 'registrar', title: 'echo and ping-pong by our registrar' },

  // failover
  F1: { rsplib: 'registrar, PE, PU', ours: 'PE', title: 'their PU fails over from our PE to theirs and back, counters go on' },
  F2: { rsplib: 'registrar, PEs', ours: 'PU', title: 'our PU fails over between their PEs, counters go on' },
  F3: { rsplib: 'registrar, PE', ours: 'PE, PU', title: 'our PU fails over from their PE to ours and back' },
  F4: { rsplib: 'registrar, PEs', ours: 'PU', title: 'a silent death: within 1.6 s' },
  F5: { rsplib: 'registrar, PEs', ours: 'PU', title: 'a kill: no longer than their PU needs' },

  // policies
  P1: { rsplib: 'registrar', ours: 'PEs, PU', title: 'each policy, also the private ones: shares of selection as at our registrar' },
  P2: { rsplib: 'registrar, PEs', ours: 'registrar, PU', title: 'policies of rspserver, also private ones: shares of selection at both registrars' },

  // registrars among each other
  R1: { rsplib: 'registrar', ours: 'registrar', title: 'ours joins theirs: list, handle table' },
  R2: { rsplib: 'registrar', ours: 'registrar', title: 'theirs joins ours' },
  R3: { rsplib: 'registrar, PE', ours: 'registrar, PE', title: 'updates in both directions' },
  R4: { rsplib: 'registrar', ours: 'registrar', title: 'audit: checksums agree, and are mended where they do not' },
  R5: { rsplib: 'registrar, PE', ours: 'registrar', title: 'ours takes over from theirs' },
  R6: { rsplib: 'registrar', ours: 'registrar, PE', title: 'theirs takes over from ours' },
  R7: { rsplib: 'registrar, PE', ours: 'registrars', title: 'both could take over: one owner in the end' },
  R8: { rsplib: 'hsdump', ours: 'registrar', title: 'hsdump at our registrar' },

  // the rest
  M1: { rsplib: 'registrar, PE, PU', ours: 'registrar, PE, PU', title: 'announcements by multicast, both ways' },
  M2: { rsplib: 'registrar', ours: 'messages', title: 'unknown parameters of the four classes' },
} as const satisfies Readonly<Record<string, Scenario>>;

export type ScenarioId = keyof typeof matrix;
