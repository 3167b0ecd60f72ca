// Light or dark: as the system has it, until the reader chooses.
import { effect, signal } from '@preact/signals';

export type Theme = 'light' | 'dark';
const stored = (() => {
  try {
    return localStorage.getItem('theme');
  } catch { // storage may be switched off
    return null;
  }
})();
const system = matchMedia('(prefers-color-scheme: dark)');
const systemTheme = signal<Theme>(system.matches ? 'dark' : 'light');
const chosenTheme = signal<Theme | undefined>(stored === 'light' || stored === 'dark' ? stored : undefined);
system.addEventListener('change', () => { systemTheme.value = system.matches ? 'dark' : 'light'; });
export const theme = () => chosenTheme.value ?? systemTheme.value;

effect(() => { document.documentElement.dataset.theme = theme(); });

// To the other one; what the system has already need not be kept.
export function switchTheme(): void {
  const other = theme() === 'dark' ? 'light' : 'dark';
  chosenTheme.value = other === systemTheme.value ? undefined : other;
  try {
    if (chosenTheme.value) localStorage.setItem('theme', chosenTheme.value);
    else localStorage.removeItem('theme');
  } catch { /* then it holds for this page only */ }
}
