// Text that a stranger wrote, as people are shown it. The same as the command line's (cli_clean()): what is invisible or turns text
// around could make a name read as another, so it is a question mark for each of its bytes. Pure.
const DECEIVES = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]/;
const ALL = new RegExp(DECEIVES, 'g');

export const deceives = (text: string): boolean => DECEIVES.test(text);

const marks = (letter: string): string => '?'.repeat(letter < '\u0080' ? 1 : letter < '\u0800' ? 2 : 3);

// With its newlines and tabs.
export const harmless = (text: string): string => deceives(text) ? text.replace(ALL, marks) : text;

export const shown = (text: string): string => harmless(text).replace(/[\n\t]/g, ' ');
