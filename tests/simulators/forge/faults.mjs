// Faults on demand: a rule waits for requests that match and spoils their answers.
//
//   {match: {method, path, user}, skip: 0, times: 1, kind, ...}      path is a regular expression over path?query; times -1 = for ever
//
// kind     what happens
// status   answer `status` with `headers` and `body` (object = JSON, text as is); nothing is done
// lose     do the work, then cut the connection instead of answering
// cut      cut the connection before any work
// half     do the work, then send the head and half of the body, then cut
// stall    do the work, send half of the body and keep silent
// hang     never answer, do nothing
// delay    wait `ms`, then go on as usual
// hold     wait for /_sim/release before any work; hold-answer: do the work and wait before answering. /_sim/held counts
//          who waits: the moment to kill a client, to move a branch, or to look
// headers  go on as usual, and add `headers` to the answer
// before   carry out the control action `action` with `with`, then go on as usual: somebody else was quicker
export const kKinds = ['status', 'lose', 'cut', 'half', 'stall', 'hang', 'delay', 'hold', 'hold-answer', 'headers', 'before'];

export class Faults {
  rules_ = [];
  held_ = [];

  // Throws on what cannot be a rule: a test with a typing error must not pass for lack of a fault.
  add(rule) {
    if (!kKinds.includes(rule.kind)) throw new Error(`fault kind "${rule.kind}" is none of ${kKinds.join(', ')}`);
    if (rule.kind === 'status' && !Number.isInteger(rule.status)) throw new Error('a fault of kind status needs a status');
    const match = {...rule.match};
    if (match.path !== undefined) match.path = new RegExp(match.path);
    this.rules_.push({...rule, match, skip: rule.skip ?? 0, times: rule.times ?? 1, hits: 0});
    return this.rules_.length;
  }

  clear() {
    this.rules_ = [];
    this.release();
  }

  hold() {
    return new Promise((resolve) => { this.held_.push(resolve); });
  }

  held() {
    return this.held_.length;
  }

  release() {
    for (const resume of this.held_.splice(0)) resume();
  }

  // Rules that have not yet met all the requests they were made for.
  waiting() {
    return this.rules_.filter((rule) => rule.times > 0).map(({kind, times, skip, match}) => ({
      kind, times, skip, match: {...match, path: match.path?.source},
    }));
  }

  take({method, path, user}) {
    for (const rule of this.rules_) {
      const {match} = rule;
      if (rule.times === 0) continue;
      if (match.method && match.method !== method) continue;
      if (match.path && !match.path.test(path)) continue;
      if (match.user && match.user !== user) continue;
      if (rule.skip > 0) {
        rule.skip -= 1;
        continue;
      }
      if (rule.times > 0) rule.times -= 1;
      rule.hits += 1;
      return rule;
    }
    return null;
  }
}

// Ready-made rules for what GitHub does when it has had enough.
export function secondaryLimit({match, times = 1, retryAfter, status = 403}) {
  return {
    match, times, kind: 'status', status,
    headers: {'x-ratelimit-remaining': '4999', ...(retryAfter === undefined ? {} : {'retry-after': String(retryAfter)})},
    body: {
      message: 'You have exceeded a secondary rate limit. Please wait a few minutes before you try again.',
      documentation_url: 'https://docs.github.com/rest/overview/resources-in-the-rest-api#secondary-rate-limits',
    },
  };
}
