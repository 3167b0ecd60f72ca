// Whose decision a request waits for. Pure. This decides which buttons are shown; what counts is decided when a decision is
// prepared (flow/decide.ts), by the controller, and by the device.
import { OrderState } from '../gen/countersign/v1/operator_pb';
import { Role, type Stage, type TrustPolicy } from '../gen/countersign/v1/statement_pb';

export interface Reader {
  operator: string;
  roles: Role[];
  groups: string[];
}

export interface OpenRequest {
  requester: string;
  state: OrderState;
  stageName: string;
}

export type Rules = Pick<TrustPolicy, 'rules' | 'groups'>;

export const isOpen = (state: OrderState) => state === OrderState.PUSH_APPROVAL_PENDING || state === OrderState.PUSH_REVIEW_IN_PROGRESS;

// The role, own or by a group, and among the stage's people where it names any ("@NAME" stands for a group's members).
function admits(stage: Stage, reader: Reader): boolean {
  return (
    reader.roles.includes(stage.role) &&
    (stage.operators.length === 0 ||
      stage.operators.some((name) => (name.startsWith('@') ? reader.groups.includes(name.slice(1)) : name === reader.operator)))
  );
}

// Without a policy at hand the two stages of the default one are known by their names.
function admitsByName(name: string, reader: Reader): boolean {
  const role = name === 'approve' ? Role.APPROVER : name === 'implement' ? Role.IMPLEMENTER : undefined;
  return role !== undefined && reader.roles.includes(role);
}

// A request's rule is picked by each order's device, connector and leaf; its stage is known here by its name alone, so it is
// enough when one rule with such a stage would have the reader decide.
export function waitsFor(reader: Reader, rules: Rules | undefined, request: OpenRequest, deciders: string[]): boolean {
  if (!reader.operator || !isOpen(request.state) || deciders.includes(reader.operator)) return false;
  const isRequester = request.requester === reader.operator;
  if (!rules || rules.rules.length === 0) return !isRequester && admitsByName(request.stageName, reader);
  return rules.rules.some(
    (rule) =>
      (!isRequester || rule.requesterMayDecide) &&
      rule.stages.some((stage) => stage.name === request.stageName && admits(stage, reader)),
  );
}

// The stage at which one order of a request stands. Where the orders stand apart (a decision covered some of them), the request's
// own stage is the least advanced ones'; of an order that is further the second stage is meant, which with more than two is a guess.
export function stageOf(
  order: OrderState,
  request: OpenRequest & { stages: number },
  rules: Rules | undefined,
): { name: string; apart: boolean } {
  if (order === request.state) return { name: request.stageName, apart: false };
  if (order !== OrderState.PUSH_REVIEW_IN_PROGRESS) return { name: '', apart: true };
  const rule = rules?.rules.find((one) => one.stages.length === request.stages && one.stages[0]!.name === request.stageName);
  return { name: rule?.stages[1]?.name ?? '', apart: true };
}

// What the button says: the default policy's stages by their own words.
export function verbOf(stageName: string): string {
  if (stageName === 'approve') return 'Approve';
  if (stageName === 'implement') return 'Implement';
  return stageName ? `Decide: ${stageName}` : 'Decide';
}
