// What is typed goes into the address when the fingers rest; an address that changes otherwise (Back) comes into the field.
import { useEffect, useRef, useState } from 'preact/hooks';

const RESTS_MS = 250;

export function useTyped(value: string, settle: (value: string) => void): [string, (value: string) => void] {
  const [text, setText] = useState(value);
  const sent = useRef(value);
  useEffect(() => {
    if (value !== sent.current) setText(sent.current = value);
  }, [value]);
  useEffect(() => {
    if (text === sent.current) return undefined;
    const timer = setTimeout(() => settle(sent.current = text), RESTS_MS);
    return () => clearTimeout(timer);
  }, [text]);
  return [text, setText];
}
