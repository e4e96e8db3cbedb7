import { performance } from 'node:perf_hooks';

/** A load of this process: the part of the time since the last call, 0 to 1, in which its event loop was busy. */
export function loopLoad(): () => number {
  let last = performance.eventLoopUtilization();
  return () => {
    const now = performance.eventLoopUtilization();
    const { utilization } = performance.eventLoopUtilization(now, last);
    last = now;
    return Math.min(1, Math.max(0, utilization));
  };
}
