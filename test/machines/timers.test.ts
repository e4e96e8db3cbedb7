import { quickTimers, resolveTimers, rfcTimers, type TimerOptions } from '../../machines/timers.js';

describe('timers and thresholds', () => {
  // proves 5352-7.1-a, 5352-7.3-a
  it('rfc: as RFC 5352 §7 calls normal', () => {
    expect(rfcTimers).toMatchObject({
      t1EnrpRequest: 15_000, t2Registration: 30_000, t3Deregistration: 30_000, t4Reregistration: 600_000, t5ServerHunt: 10_000, t6ServerAnnounce: 1_000, t7EnrpOutdate: 5_000,
      retranMax: 60_000, maxRegAttempt: 2, maxRequestRetransmit: 2,
    });
  });

  it('both presets keep the rules between them', () => {
    expect(resolveTimers({ ...quickTimers })).toEqual(quickTimers);
    expect(resolveTimers({ ...rfcTimers })).toEqual(rfcTimers);
  });

  it('values replace those of quick, which is the default', () => {
    expect(resolveTimers({ t1EnrpRequest: 700 })).toEqual({ ...quickTimers, t1EnrpRequest: 700 });
    expect([resolveTimers(), resolveTimers('quick'), resolveTimers('rfc')]).toEqual([quickTimers, quickTimers, rfcTimers]);
  });

  it.each<[unknown, string]>([
    [{ t1: 5 }, 't1 is unknown'],
    [{ t1EnrpRequest: '5' }, 't1EnrpRequest is a number'],
    [{ t1EnrpRequest: 0 }, 'more than 0'],
    [{ t1EnrpRequest: Number.NaN }, 'is a number'],
    [{ t1EnrpRequest: 2 ** 31 }, 'at most 2147483647'],
    [{ maxRegAttempt: 1.5 }, 'a whole number'],
    [{ maxRegAttempt: -1 }, 'a whole number'],
    [{ t4Share: 2 }, 'at most 1'],
    ['fast', "'quick', 'rfc' or an object"],
    [[], "'quick', 'rfc' or an object"],
    [null, "'quick', 'rfc' or an object"],
  ])('refuses %j', (options, why) => {
    expect(() => resolveTimers(options as TimerOptions)).toThrow(expect.objectContaining({ code: 'INVALID_OPTION', message: expect.stringContaining(why) as string }) as Error);
  });

  it.each<[TimerOptions, string]>([
    [{ t5ServerHunt: 20_000 }, 't5ServerHunt is at most retranMax (now t5ServerHunt = 20000, retranMax = 10000)'],
    [{ resolutionInterval: 6_000 }, 'resolutionInterval is at most staleCacheValue'],
    [{ keepAliveTimeout: 3_000 }, 'keepAliveTimeout is at most keepAlivePeriod'],
    [{ heartbeat: 250 }, 'silence is more than twice heartbeat'],
    [{ peerHeartbeatCycle: 1_000 }, 'maxTimeLastHeard is more than peerHeartbeatCycle'],
  ])('refuses values that contradict each other: %j', (options, why) => {
    expect(() => resolveTimers(options)).toThrow(why);
  });
});
