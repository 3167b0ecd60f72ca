// The cells of a row, in order.
export const COLUMNS = {
  good: 'good pair',
  key: 'key that does not fit',
  expired: 'expired leaf',
  override: 'expired, override signed',
  fails: 'reload fails',
  lost: 'reload does not reach it',
  hangs: 'reload hangs',
  broken: 'its own configuration is broken',
  unusable: 'pair that it alone refuses',
};
