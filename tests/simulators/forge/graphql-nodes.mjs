// Pull requests and repositories as GraphQL shows them, and what its mutations do to them.
import {nodeId} from './state.mjs';

export const refusal = (message, type = 'UNPROCESSABLE') => Object.assign(new Error(message), {type});

// An App acts as a Bot, whose login goes without the "[bot]" that it has as viewer.
const actor = (login) => (login.endsWith('[bot]') ? {__typename: 'Bot', login: login.slice(0, -'[bot]'.length)} : {__typename: 'User', login});

function checksOf(repository, pull) {
  const required = repository.requiredChecks(pull.base).map((name) => name.toLowerCase());
  const isRequired = (name) => () => required.includes(name.toLowerCase());
  const newest = new Map();
  for (const {sha, context, state} of repository.statuses) {
    if (sha === pull.headSha) newest.set(`status ${context}`, {__typename: 'StatusContext', context, state: state.toUpperCase(), isRequired: isRequired(context)});
  }
  for (const {sha, name, status, conclusion} of repository.checkRuns) {
    if (sha !== pull.headSha) continue;
    newest.set(`run ${name}`, {__typename: 'CheckRun', name, status: status.toUpperCase(), conclusion: conclusion?.toUpperCase() ?? null, isRequired: isRequired(name)});
  }
  return [...newest.values()];
}

const nodes = (list) => () => ({nodes: list});

export function pullNode(repository, pull) {
  const checks = checksOf(repository, pull);
  const classic = repository.rulesFor(pull.base).find((rule) => rule.classic);
  return {
    __typename: 'PullRequest', id: nodeId('PR', pull.id), number: pull.number, title: pull.title, body: pull.body ?? '', isDraft: pull.draft,
    state: pull.merged ? 'MERGED' : pull.state.toUpperCase(), merged: pull.merged, headRefName: pull.head, baseRefName: pull.base, headRefOid: pull.headSha,
    mergeStateStatus: async () => (await repository.mergeState(pull)).toUpperCase(),
    mergeable: async () => ({dirty: 'CONFLICTING', unknown: 'UNKNOWN'}[await repository.mergeState(pull)] ?? 'MERGEABLE'),
    autoMergeRequest: pull.autoMerge && {
      __typename: 'AutoMergeRequest', mergeMethod: pull.autoMerge.method.toUpperCase(), commitHeadline: pull.autoMerge.title ?? null,
      enabledBy: actor(pull.autoMerge.login),
    },
    isMergeQueueEnabled: repository.hasQueue(pull.base), isInMergeQueue: pull.inQueue,
    reviewDecision: repository.approvalsNeeded(pull.base) === 0 ? null : repository.approvalsMissing(pull) > 0 ? 'REVIEW_REQUIRED' : 'APPROVED',
    baseRef: {__typename: 'Ref', name: pull.base, refUpdateRule: classic ? {requiredStatusCheckContexts: classic.contexts ?? []} : null},
    commits: nodes([{commit: {oid: pull.headSha, statusCheckRollup: checks.length ? {contexts: nodes(checks)} : null}}]),
    timelineItems: ({last = 1, itemTypes}) => ({
      nodes: pull.events.filter(({kind}) => !itemTypes || itemTypes.includes(kind.replace(/(?!^)[A-Z]/g, '_$&').toUpperCase())).slice(-last)
        .map(({kind, reason}) => ({__typename: kind, reason})),
    }),
    repository: () => repositoryNode(repository),
  };
}

export function repositoryNode(repository) {
  const has = (method) => repository.mergeMethods.includes(method);
  return {
    __typename: 'Repository', id: nodeId('R', repository.id), name: repository.name, nameWithOwner: `${repository.owner}/${repository.name}`,
    autoMergeAllowed: repository.allowAutoMerge, mergeCommitAllowed: has('merge'), squashMergeAllowed: has('squash'), rebaseMergeAllowed: has('rebase'),
    pullRequest: ({number}) => {
      const pull = repository.pulls[number - 1];
      if (!pull) throw refusal(`Could not resolve to a PullRequest with the number of ${number}.`, 'NOT_FOUND');
      return pullNode(repository, pull);
    },
  };
}

export async function enableAutoMerge(repository, pull, input, login) {
  const queue = repository.hasQueue(pull.base);
  if (!repository.allowAutoMerge && !queue) throw refusal('Pull request Auto merge is not allowed for this repository');
  if (pull.state !== 'open') throw refusal("Can't enable auto-merge for this pull request");
  if (input.expectedHeadOid && input.expectedHeadOid !== pull.headSha) throw refusal('Head branch was modified. Review and try the merge again.');
  const method = (input.mergeMethod ?? 'MERGE').toLowerCase();
  if (!queue && !repository.mergeMethods.includes(method)) throw refusal(`Merge method ${method} merging is not allowed on this repository`);
  const required = repository.rulesFor(pull.base).some((rule) => ['required_status_checks', 'pull_request', 'merge_queue'].includes(rule.type));
  if (!required) throw refusal('Protected branch rules not configured for this branch');
  const state = await repository.mergeState(pull);
  if (!queue && (state === 'clean' || state === 'unstable')) throw refusal(`Pull request is in ${state} status`);
  pull.autoMerge = {method, login, title: input.commitHeadline, message: input.commitBody, expectedHead: input.expectedHeadOid};
  pull.events.push({kind: 'AutoMergeEnabledEvent'});
  if (queue && state === 'clean') repository.enqueue(pull);
}
