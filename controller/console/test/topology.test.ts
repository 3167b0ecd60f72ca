import { create, type MessageInitShape } from '@bufbuild/protobuf';
import { describe, expect, it } from 'vitest';
import { stageOf, verbOf, waitsFor } from '../src/dialogs/waiting';
import { Colour, OrderState, RequestHistorySchema, SyncState, TopologyRowSchema } from '../src/gen/countersign/v1/operator_pb';
import { Action, Role, TrustPolicySchema, Verdict } from '../src/gen/countersign/v1/statement_pb';
import { fold, FOLD_ABOVE, PAGE, search } from '../src/topology/fold';
import { decisionsOn, isPartly } from '../src/topology/load';
import { detailText, lineOf, orderText, progressOf, stateText, syncText } from '../src/topology/standing';

type Init = Exclude<MessageInitShape<typeof TopologyRowSchema>, { $typeName: string }>;
const row = (init: Init) => create(TopologyRowSchema, { deviceName: 'gw-1', connector: 'nginx', connected: true, ...init });
const when = (seconds: number) => `@${seconds}`;

describe('what stands beside a connector', () => {
  it.each<[string, Init, string, string, string]>([
    ['nothing was pushed', { sync: SyncState.MISSING }, 'Not pushed yet', 'nothing is installed', 'idle'],
    [
      'in place',
      { sync: SyncState.IN_SYNC, order: { number: 1n, action: Action.INSTALL, state: OrderState.COMPLETED } },
      'Completed',
      'in sync',
      'sound',
    ],
    [
      'waits for people',
      {
        sync: SyncState.MISSING,
        order: {
          number: 1n,
          action: Action.INSTALL,
          state: OrderState.PUSH_REVIEW_IN_PROGRESS,
          stateText: 'Push-Review In Progress 1/2',
        },
      },
      'Push-Review In Progress 1/2',
      'nothing is installed',
      'waiting',
    ],
    [
      'on its way',
      { sync: SyncState.MISSING, order: { number: 1n, action: Action.INSTALL, state: OrderState.PUSH_IN_PROGRESS } },
      'Push-In Progress',
      'nothing is installed',
      'moving',
    ],
    [
      'failed',
      { sync: SyncState.OUT_OF_SYNC, remark: 'put back', order: { number: 1n, action: Action.INSTALL, state: OrderState.FAILED } },
      'Failed',
      'out of sync: put back',
      'wrong',
    ],
    [
      'removed by hand',
      {
        colour: Colour.PURPLE,
        sync: SyncState.MISSING,
        pushed: true,
        order: { number: 1n, action: Action.INSTALL, state: OrderState.COMPLETED },
      },
      'Completed',
      'missing',
      'wrong',
    ],
    [
      'removed by people',
      { sync: SyncState.MISSING, order: { number: 1n, action: Action.REMOVE, state: OrderState.COMPLETED } },
      'Remove: Completed',
      'nothing is installed: it was removed, as people decided',
      'idle',
    ],
    [
      'offline',
      {
        connected: false,
        lastSeenS: 5n,
        sync: SyncState.UNKNOWN,
        lastSync: SyncState.IN_SYNC,
        order: { number: 1n, action: Action.INSTALL, state: OrderState.COMPLETED },
      },
      'Completed',
      'unknown: offline since @5; was in sync then',
      'sound',
    ],
    ['never heard', { connected: false, sync: SyncState.UNKNOWN }, 'Not pushed yet', 'unknown: the device was never heard', 'idle'],
    [
      'not stated any more',
      { lastSeenS: 5n, sync: SyncState.UNKNOWN },
      'Not pushed yet',
      'unknown: the device does not state this app connector any more',
      'idle',
    ],
    [
      'rolled back',
      { sync: SyncState.IN_SYNC, order: { number: 1n, action: Action.ROLL_BACK, state: OrderState.COMPLETED } },
      'Roll back: Completed',
      'in sync',
      'sound',
    ],
  ])('%s', (_, init, state, sync, line) => {
    expect(stateText(row(init))).toBe(state);
    expect(syncText(row(init), when)).toBe(sync);
    expect(lineOf(row(init))).toBe(line);
  });

  it('says what a scheduled order waits for', () => {
    const scheduled = (init: object, rest: Init = {}) =>
      detailText(row({ ...rest, order: { number: 1n, state: OrderState.PUSH_SCHEDULED, ...init } }), 100, when);
    expect(scheduled({ notBeforeS: 200n })).toBe('not before @200');
    expect(scheduled({ notBeforeS: 50n })).toBe('');
    expect(scheduled({ notBeforeS: 50n }, { connected: false })).toBe('waiting for the device');
    expect(scheduled({ retryAtS: 150n, attempts: 1, maxAttempts: 3, reason: 'probe failed' })).toBe(
      'probe failed; attempt 2 of 3 at @150',
    );
  });

  it('names the order and those who decided', () => {
    const history = create(RequestHistorySchema, {
      decisions: [
        { stage: 'approve', decider: 'bob', verdict: Verdict.ACCEPT },
        { stage: 'implement', decider: 'carol', verdict: Verdict.ACCEPT },
        { stage: 'security', decider: 'dave', verdict: Verdict.ACCEPT },
        { stage: 'approve', decider: 'erin', verdict: Verdict.REJECT },
      ],
    });
    expect(orderText(row({ order: { number: 7n } }), history.decisions)).toBe(
      'WO-7 · approved bob · implemented carol · security dave · rejected erin',
    );
    expect(orderText(row({}), history.decisions)).toBe('');
  });

  it('names for an order only those who decided on it', () => {
    const history = create(RequestHistorySchema, {
      number: 3n,
      decisions: [
        { decider: 'bob', orders: 1 },
        { decider: 'carol', orders: 2 },
      ],
    });
    const topology = { histories: new Map([[3n, history]]), coverage: new Map([[3n, [Uint8Array.of(0b10), new Uint8Array()]]]) };
    const who = (index: number) =>
      decisionsOn(topology, row({ order: { number: 7n, requestNumber: 3n, index } }).order).map(({ decider }) => decider);
    expect(who(0)).toEqual(['carol']);
    expect(who(1)).toEqual(['bob', 'carol']);
    expect(who(9)).toEqual(['carol']);
  });
  it('sees that a decision covered some of the orders only', () => {
    const history = (...orders: number[]) =>
      create(RequestHistorySchema, { number: 3n, decisions: orders.map((count) => ({ decider: 'bob', orders: count })) });
    const rows = [row({ order: { number: 7n, requestNumber: 3n, index: 1 } })];
    expect(isPartly(history(2, 2), rows)).toBe(false);
    expect(isPartly(history(1, 1), rows)).toBe(true);
    expect(isPartly(history(2, 1), rows)).toBe(true);
    expect(isPartly(history(), rows)).toBe(false);
  });
  it('tells progress in steps', () => {
    expect(progressOf(row({ order: { number: 7n, state: OrderState.PUSH_SCHEDULED } }))).toEqual({ done: 2, of: 4 });
    expect(
      progressOf(row({ order: { number: 7n, state: OrderState.PUSH_REVIEW_IN_PROGRESS } }), {
        stage: 3,
        stages: 4,
        state: OrderState.PUSH_REVIEW_IN_PROGRESS,
      }),
    ).toEqual({ done: 2, of: 6 });
    expect(progressOf(row({ order: { number: 7n, state: OrderState.COMPLETED } }))).toBeUndefined();
  });
});

describe('folding', () => {
  const rows = (count: number, init: Init = {}) => Array.from({ length: count }, (_, i) => row({ deviceName: `gw-${i}`, ...init }));
  it('leaves a few alone', () => {
    expect(fold(rows(FOLD_ABOVE), new Map()).every((item) => item.kind === 'row')).toBe(true);
  });
  it('makes groups of those that stand alike, worst first, and shows the few others', () => {
    const mixed = [
      ...rows(400, { colour: Colour.GREEN }),
      ...rows(90, { colour: Colour.GRAY, order: { number: 1n, state: OrderState.FAILED } }),
      ...rows(2, { colour: Colour.PURPLE }),
    ];
    const items = fold(mixed, new Map());
    expect(items.map((item) => (item.kind === 'row' ? 'row' : `${item.kind} ${item.group.rows.length}`))).toEqual([
      'group 90',
      'row',
      'row',
      'group 400',
    ]);
  });
  it('opens a page at a time', () => {
    const many = rows(500, { colour: Colour.GREEN }),
      key = (fold(many, new Map())[0] as { group: { key: string } }).group.key;
    const items = fold(many, new Map([[key, PAGE]]));
    expect(items).toHaveLength(PAGE + 2);
    expect(items.at(-1)).toMatchObject({ kind: 'more', left: 500 - PAGE });
    expect(fold(many, new Map([[key, 600]]))).toHaveLength(501);
  });
  it('finds by the parts of names', () => {
    expect(search(rows(30), 'gw-2')).toHaveLength(11);
    expect(search(rows(30), 'gw-2 nginx')).toHaveLength(11);
    expect(search(rows(30), 'apache')).toHaveLength(0);
    expect(search(rows(30), ' ')).toHaveLength(30);
  });
});

describe('whose decision is waited for', () => {
  const rules = create(TrustPolicySchema, {
    rules: [
      {
        name: 'default',
        stages: [
          { name: 'approve', role: Role.APPROVER, required: 1 },
          { name: 'implement', role: Role.IMPLEMENTER, required: 1 },
        ],
      },
      { name: 'core', stages: [{ name: 'security', role: Role.APPROVER, required: 1, operators: ['@guards', 'gina'] }] },
    ],
  });
  const reader = (operator: string, role: Role, groups: string[] = []) => ({ operator, roles: [role], groups });
  const open = (stageName: string, requester = 'alice') => ({ requester, stageName, state: OrderState.PUSH_APPROVAL_PENDING });
  it.each([
    ['an approver', reader('bob', Role.APPROVER), open('approve'), [], true],
    ['an implementer, at the first stage', reader('carol', Role.IMPLEMENTER), open('approve'), [], false],
    ['an implementer, at the second', reader('carol', Role.IMPLEMENTER), open('implement'), ['bob'], true],
    ['who decided already', reader('bob', Role.APPROVER), open('approve'), ['bob'], false],
    ['the requester', reader('alice', Role.APPROVER), open('approve'), [], false],
    ["who is not among the stage's people", reader('bob', Role.APPROVER), open('security'), [], false],
    ['who is named', reader('gina', Role.APPROVER), open('security'), [], true],
    ['who is in the named group', reader('bob', Role.APPROVER, ['guards']), open('security'), [], true],
    ['nobody in particular', reader('', Role.APPROVER), open('approve'), [], false],
  ])('%s', (_, who, request, deciders, expected) => {
    expect(waitsFor(who, rules, request, deciders as string[])).toBe(expected);
  });
  it('lets the requester where the rule does', () => {
    const lax = create(TrustPolicySchema, { rules: [{ ...rules.rules[0]!, requesterMayDecide: true }] });
    expect(waitsFor(reader('alice', Role.APPROVER), lax, open('approve'), [])).toBe(true);
  });
  it("is nobody's once nothing is open", () => {
    expect(waitsFor(reader('bob', Role.APPROVER), rules, { ...open('approve'), state: OrderState.COMPLETED }, [])).toBe(false);
  });
  it('knows at which stage an order stands that is further than the others', () => {
    const request = { ...open('approve'), stages: 2 };
    expect(stageOf(OrderState.PUSH_APPROVAL_PENDING, request, rules)).toEqual({ name: 'approve', apart: false });
    expect(stageOf(OrderState.PUSH_REVIEW_IN_PROGRESS, request, rules)).toEqual({ name: 'implement', apart: true });
    expect(stageOf(OrderState.COMPLETED, request, rules)).toEqual({ name: '', apart: true });
  });
  it("knows the default policy's stages by name", () => {
    expect(waitsFor(reader('bob', Role.APPROVER), undefined, open('approve'), [])).toBe(true);
    expect([verbOf('approve'), verbOf('implement'), verbOf('security'), verbOf('')]).toEqual([
      'Approve',
      'Implement',
      'Decide: security',
      'Decide',
    ]);
  });
});
