export { Legend } from './chip';
