import type { ServiceSession } from '../../index.js';
import { counter } from './counter.js';
import { echo } from './echo.js';
import { pingpong } from './pingpong.js';

/** What a service does with a session that a pool user has opened; `element` is its own PE identifier as people read it. */
export type ServiceHandler = (session: ServiceSession, element: string) => void;

export const services = { echo, counter, pingpong } as const satisfies Record<string, ServiceHandler>;
