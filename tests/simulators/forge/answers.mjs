// GitHub's objects as GitHub writes them: every member its own description requires, and the optional ones clients read.
import * as git from './git.mjs';
import {nodeId, timestamp} from './state.mjs';

const kDocs = 'https://docs.github.com/rest';

export class Answers {
  // `api` and `web` without trailing slash: https://host/api/v3 and https://host.
  constructor(forge, {api, web}) {
    this.forge = forge;
    this.api = api;
    this.web = web;
  }

  user(login) {
    const {id, type} = this.forge.user(login);
    const url = `${this.api}/users/${login}`;
    return {
      login, id, node_id: nodeId('U', id), avatar_url: `${this.web}/avatars/u/${id}`, gravatar_id: '', url, html_url: `${this.web}/${login}`,
      followers_url: `${url}/followers`, following_url: `${url}/following{/other_user}`, gists_url: `${url}/gists{/gist_id}`,
      starred_url: `${url}/starred{/owner}{/repo}`, subscriptions_url: `${url}/subscriptions`, organizations_url: `${url}/orgs`,
      repos_url: `${url}/repos`, events_url: `${url}/events{/privacy}`, received_events_url: `${url}/received_events`, type, site_admin: false,
    };
  }

  authenticatedUser(login) {
    return {
      ...this.user(login), user_view_type: 'public', name: login, company: null, blog: '', location: null, email: null, hireable: null, bio: null,
      public_repos: 0, public_gists: 0, followers: 0, following: 0, created_at: timestamp(new Date(0)), updated_at: timestamp(new Date(0)),
    };
  }

  // The 46 addresses of a repository, by the names that minimal-repository gives them.
  repositoryLinks_(repository) {
    const url = `${this.api}/repos/${repository.owner}/${repository.name}`;
    const at = (suffix) => `${url}/${suffix}`;
    return {
      url, html_url: `${this.web}/${repository.owner}/${repository.name}`, archive_url: at('{archive_format}{/ref}'), assignees_url: at('assignees{/user}'),
      blobs_url: at('git/blobs{/sha}'), branches_url: at('branches{/branch}'), collaborators_url: at('collaborators{/collaborator}'),
      comments_url: at('comments{/number}'), commits_url: at('commits{/sha}'), compare_url: at('compare/{base}...{head}'),
      contents_url: at('contents/{+path}'), contributors_url: at('contributors'), deployments_url: at('deployments'), downloads_url: at('downloads'),
      events_url: at('events'), forks_url: at('forks'), git_commits_url: at('git/commits{/sha}'), git_refs_url: at('git/refs{/sha}'),
      git_tags_url: at('git/tags{/sha}'), hooks_url: at('hooks'), issue_comment_url: at('issues/comments{/number}'),
      issue_events_url: at('issues/events{/number}'), issues_url: at('issues{/number}'), keys_url: at('keys{/key_id}'), labels_url: at('labels{/name}'),
      languages_url: at('languages'), merges_url: at('merges'), milestones_url: at('milestones{/number}'),
      notifications_url: at('notifications{?since,all,participating}'), pulls_url: at('pulls{/number}'), releases_url: at('releases{/id}'),
      stargazers_url: at('stargazers'), statuses_url: at('statuses/{sha}'), subscribers_url: at('subscribers'), subscription_url: at('subscription'),
      tags_url: at('tags'), teams_url: at('teams'), trees_url: at('git/trees{/sha}'),
    };
  }

  minimalRepository(repository) {
    return {
      id: repository.id, node_id: nodeId('R', repository.id), name: repository.name, full_name: `${repository.owner}/${repository.name}`,
      owner: this.user(repository.owner), private: repository.isPrivate, description: null, fork: false, ...this.repositoryLinks_(repository),
    };
  }

  repository(repository) {
    const minimal = this.minimalRepository(repository);
    const has = (method) => repository.mergeMethods.includes(method);
    const open = repository.pulls.filter((pull) => pull.state === 'open').length;
    return {
      ...minimal, clone_url: `${minimal.html_url}.git`, git_url: `git:${minimal.html_url.slice(6)}.git`, ssh_url: `git@forge:${minimal.full_name}.git`,
      svn_url: minimal.html_url, mirror_url: null, homepage: null, language: null, default_branch: repository.defaultBranch, forks: 0, forks_count: 0,
      has_downloads: true, has_issues: true, has_projects: false, has_wiki: false, has_pages: false, has_discussions: false,
      archived: repository.archived, disabled: false, open_issues: open, open_issues_count: open, license: null, size: 1, stargazers_count: 0,
      watchers: 0, watchers_count: 0, network_count: 0, subscribers_count: 0, visibility: repository.isPrivate ? 'private' : 'public',
      created_at: repository.createdAt, updated_at: repository.createdAt, pushed_at: repository.createdAt,
      allow_auto_merge: repository.allowAutoMerge, allow_merge_commit: has('merge'), allow_squash_merge: has('squash'), allow_rebase_merge: has('rebase'),
      delete_branch_on_merge: false,
    };
  }

  label(repository, name) {
    const {id, color, description, name: shown} = repository.label(name);
    const url = `${this.api}/repos/${repository.owner}/${repository.name}/labels/${encodeURIComponent(shown)}`;
    return {id, node_id: nodeId('LA', id), url, name: shown, color, default: false, description};
  }

  team(slug) {
    const url = `${this.api}/teams/${slug}`;
    return {
      id: 1, node_id: nodeId('T', 1), name: slug, slug, description: null, privacy: 'closed', notification_setting: 'notifications_enabled',
      permission: 'pull', url, html_url: `${this.web}/orgs/o/teams/${slug}`, members_url: `${url}/members{/member}`, repositories_url: `${url}/repos`,
      parent: null, type: 'organization', organization_id: 1,
    };
  }

  pullSimple(repository, pull) {
    const base = `${this.api}/repos/${repository.owner}/${repository.name}`;
    const url = `${base}/pulls/${pull.number}`;
    const issue = `${base}/issues/${pull.number}`;
    const html = `${this.web}/${repository.owner}/${repository.name}/pull/${pull.number}`;
    const link = (href) => ({href});
    const side = (ref, sha) => ({
      label: `${repository.owner}:${ref}`, ref, sha, user: this.user(repository.owner), repo: this.repository(repository),
    });
    return {
      url, id: pull.id, node_id: nodeId('PR', pull.id), html_url: html, diff_url: `${html}.diff`, patch_url: `${html}.patch`, issue_url: issue,
      number: pull.number, state: pull.state, locked: false, title: pull.title, user: this.user(pull.login), body: pull.body,
      created_at: pull.createdAt, updated_at: pull.updatedAt, closed_at: pull.closedAt, merged_at: pull.mergedAt, merge_commit_sha: pull.mergeCommitSha,
      assignee: pull.assignees.length ? this.user(pull.assignees[0]) : null, assignees: pull.assignees.map((login) => this.user(login)),
      requested_reviewers: pull.reviewers.map((login) => this.user(login)), requested_teams: pull.teams.map((slug) => this.team(slug)),
      labels: pull.labels.map((name) => this.label(repository, name)), milestone: null, draft: pull.draft,
      commits_url: `${url}/commits`, review_comments_url: `${url}/comments`, review_comment_url: `${base}/pulls/comments{/number}`,
      comments_url: `${issue}/comments`, statuses_url: `${base}/statuses/${pull.headSha}`,
      head: side(pull.head, pull.headSha), base: side(pull.base, pull.baseSha),
      _links: {
        self: link(url), html: link(html), issue: link(issue), comments: link(`${issue}/comments`), review_comments: link(`${url}/comments`),
        review_comment: link(`${base}/pulls/comments{/number}`), commits: link(`${url}/commits`), statuses: link(`${base}/statuses/${pull.headSha}`),
      },
      author_association: 'COLLABORATOR',
      auto_merge: pull.autoMerge && {
        enabled_by: this.user(pull.autoMerge.login), merge_method: pull.autoMerge.method, commit_title: pull.autoMerge.title ?? '',
        commit_message: pull.autoMerge.message ?? '',
      },
    };
  }

  // `mergeability`: "unknown" while the forge is still computing it.
  async pull(repository, pull, {computing = false, commits, stat} = {}) {
    const state = computing ? 'unknown' : await repository.mergeState(pull);
    const known = pull.state === 'open' && !computing;
    const base = pull.merged ? pull.baseSha : pull.base;
    commits ??= await git.commitsBetween(repository.directory, base, pull.headSha).catch(() => []);
    stat ??= await git.diffStat(repository.directory, base, pull.headSha);
    return {
      ...this.pullSimple(repository, pull), merged: pull.merged, mergeable: known ? state !== 'dirty' : null, rebaseable: known ? state !== 'dirty' : null,
      mergeable_state: state, merged_by: pull.mergedBy ? this.user(pull.mergedBy) : null, comments: pull.comments.length, review_comments: 0,
      maintainer_can_modify: pull.maintainerCanModify, commits: commits.length, ...stat,
    };
  }

  issue(repository, pull) {
    const base = `${this.api}/repos/${repository.owner}/${repository.name}`;
    const url = `${base}/issues/${pull.number}`;
    const simple = this.pullSimple(repository, pull);
    return {
      url, repository_url: base, labels_url: `${url}/labels{/name}`, comments_url: `${url}/comments`, events_url: `${url}/events`,
      html_url: simple.html_url, id: pull.id, node_id: nodeId('PR', pull.id), number: pull.number, title: pull.title, user: simple.user,
      labels: simple.labels, state: pull.state, locked: false, assignee: simple.assignee, assignees: simple.assignees, milestone: null,
      comments: pull.comments.length, created_at: pull.createdAt, updated_at: pull.updatedAt, closed_at: pull.closedAt,
      author_association: 'COLLABORATOR', active_lock_reason: null, body: pull.body,
      pull_request: {url: simple.url, html_url: simple.html_url, diff_url: simple.diff_url, patch_url: simple.patch_url, merged_at: pull.mergedAt},
    };
  }

  simpleStatus(repository, status) {
    return {
      url: `${this.api}/repos/${repository.owner}/${repository.name}/statuses/${status.sha}`, avatar_url: null, id: status.id,
      node_id: nodeId('SC', status.id), state: status.state, description: status.description, target_url: status.targetUrl, context: status.context,
      created_at: status.createdAt, updated_at: status.updatedAt,
    };
  }

  status(repository, status) {
    return {...this.simpleStatus(repository, status), creator: this.user(status.login)};
  }

  combinedStatus(repository, sha) {
    const newest = new Map();
    for (const status of repository.statuses) {
      if (status.sha === sha) newest.set(status.context.toLowerCase(), status);
    }
    const all = [...newest.values()];
    const failed = all.some((status) => ['error', 'failure'].includes(status.state));
    const passed = all.length > 0 && all.every((status) => status.state === 'success');
    const url = `${this.api}/repos/${repository.owner}/${repository.name}/commits/${sha}`;
    return {
      state: failed ? 'failure' : passed ? 'success' : 'pending', sha, total_count: all.length,
      statuses: all.map((status) => this.simpleStatus(repository, status)), repository: this.minimalRepository(repository),
      commit_url: url, url: `${url}/status`,
    };
  }

  checkRun(repository, run) {
    const url = `${this.api}/repos/${repository.owner}/${repository.name}/check-runs/${run.id}`;
    return {
      id: run.id, node_id: nodeId('CR', run.id), head_sha: run.sha, name: run.name, url, html_url: null, details_url: run.detailsUrl,
      external_id: run.externalId, status: run.status, conclusion: run.conclusion, started_at: run.startedAt, completed_at: run.completedAt,
      output: {title: null, summary: null, text: null, annotations_count: 0, annotations_url: `${url}/annotations`},
      check_suite: {id: run.id}, app: null, pull_requests: [],
    };
  }

  installation({app, installation}) {
    const url = `${this.api}/app/installations/${installation.id}`;
    return {
      id: installation.id, app_id: app.id, app_slug: app.slug, account: this.user(installation.account), target_id: this.forge.user(installation.account).id,
      target_type: 'Organization', repository_selection: installation.repositories ? 'selected' : 'all', permissions: installation.permissions,
      access_tokens_url: `${url}/access_tokens`, repositories_url: `${this.api}/installation/repositories`,
      html_url: `${this.web}/organizations/${installation.account}/settings/installations/${installation.id}`, events: [], single_file_name: null,
      created_at: installation.createdAt, updated_at: installation.createdAt, suspended_by: null, suspended_at: null,
    };
  }

  async branch(repository, name, sha) {
    const url = `${this.api}/repos/${repository.owner}/${repository.name}/branches/${encodeURIComponent(name)}`;
    const rules = repository.rulesFor(name);
    return {
      name, commit: await this.commit(repository, sha), _links: {self: url, html: `${this.web}/${repository.owner}/${repository.name}/tree/${name}`},
      protected: rules.length > 0, protection: {enabled: rules.length > 0}, protection_url: `${url}/protection`,
    };
  }

  async commit(repository, sha) {
    const info = await git.commitInfo(repository.directory, sha);
    const base = `${this.api}/repos/${repository.owner}/${repository.name}`;
    const html = `${this.web}/${repository.owner}/${repository.name}/commit/${sha}`;
    return {
      url: `${base}/commits/${sha}`, sha, node_id: nodeId('C', sha), html_url: html, comments_url: `${base}/commits/${sha}/comments`,
      commit: {
        url: `${base}/git/commits/${sha}`, author: info.author, committer: info.committer, message: info.message, comment_count: 0,
        tree: {sha: info.tree, url: `${base}/git/trees/${info.tree}`},
      },
      author: null, committer: null,
      parents: info.parents.map((parent) => ({sha: parent, url: `${base}/commits/${parent}`, html_url: html})),
    };
  }

  rule(repository, rule) {
    const parameters = {
      pull_request: {
        allowed_merge_methods: rule.allowedMergeMethods ?? repository.mergeMethods, dismiss_stale_reviews_on_push: false,
        require_code_owner_review: false, require_last_push_approval: false, required_approving_review_count: rule.approvals ?? 0, required_review_thread_resolution: false,
      },
      required_status_checks: {
        required_status_checks: (rule.contexts ?? []).map((context) => ({context})), strict_required_status_checks_policy: false,
      },
    }[rule.type];
    return {
      type: rule.type, ...(parameters ? {parameters} : {}), ruleset_source_type: 'Repository', ruleset_source: `${repository.owner}/${repository.name}`,
      ruleset_id: 1,
    };
  }
}

export function problem(status, message, {errors, documentation = kDocs, headers} = {}) {
  return {status, headers, body: {message, ...(errors ? {errors} : {}), documentation_url: documentation, status: String(status)}};
}
