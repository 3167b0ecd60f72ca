// Comments: signed by their digest, kept by the controller, read by the people who decide.
import { utf8 } from '../trust/bytes';
import { COMMENT_BYTES_MOST } from '../trust/statements';
import { TextField } from '../ui/field';

export function commentTrouble(comment: string, required = false): string {
  if (required && !comment.trim()) return 'Say why: the people who decide read your comments.';
  const length = utf8(comment).length;
  return length > COMMENT_BYTES_MOST ? `The comments have ${length} bytes, and may have ${COMMENT_BYTES_MOST}: shorten them.` : '';
}

export function Comment({
  value,
  onInput,
  hint,
  required,
}: {
  value: string;
  onInput: (value: string) => void;
  hint?: string;
  required?: boolean;
}) {
  return <TextField label="Comments" value={value} onInput={onInput} multiline hint={hint} required={required ?? false} />;
}
