// How far a request is, in words: "approve 1 of 2", "12 of 40 completed, 1 failed".
import { OrderState, type Request } from '../gen/countersign/v1/operator_pb';
import { isOpen } from '../dialogs/waiting';

export function progressText(request: Request): string {
  if (isOpen(request.state) && request.stage > 0) {
    const stage = request.stages > 1 ? `stage ${request.stage} of ${request.stages}, ` : '';
    return `${stage}${request.stageName} ${request.decided} of ${request.required}`;
  }
  const said: string[] = [];
  if (request.orderCount > 1 || request.state === OrderState.PUSH_IN_PROGRESS)
    said.push(`${request.completed.toLocaleString()} of ${request.orderCount.toLocaleString()} completed`);
  if (request.failed > 0 && request.orderCount > 1) said.push(`${request.failed.toLocaleString()} failed`);
  return said.join(', ');
}
