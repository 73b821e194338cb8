// Azure's objects as Azure writes them.
import {branchOf, refOf} from './azure-state.mjs';

const kListed = 400;  // characters of a description in a list

export class AzureAnswers {
  // `web` without a slash at the end: https://host
  constructor(azure, web) {
    this.azure = azure;
    this.web = web;
  }

  list(values) {
    return {count: values.length, value: values};
  }

  identity(login, organization) {
    const {id, displayName, uniqueName} = this.azure.identity(login);
    return {displayName, url: `${this.web}/${organization}/_apis/Identities/${id}`, id, uniqueName, imageUrl: `${this.web}/_api/_common/identityImage?id=${id}`};
  }

  at_(repository) {
    return `${this.web}/${repository.organization}/${repository.projectId}/_apis/git/repositories/${repository.id}`;
  }

  repository(repository) {
    const page = `${this.web}/${repository.organization}/${encodeURIComponent(repository.project)}/_git/${encodeURIComponent(repository.name)}`;
    return {
      id: repository.id, name: repository.name, url: this.at_(repository),
      project: {
        id: repository.projectId, name: repository.project, url: `${this.web}/${repository.organization}/_apis/projects/${repository.projectId}`,
        state: 'wellFormed', revision: 7, visibility: 'private',
      },
      defaultBranch: refOf(repository.defaultBranch), size: 728, remoteUrl: page, webUrl: page, isDisabled: repository.disabled, isInMaintenance: false,
    };
  }

  commit_(repository, sha) {
    return {commitId: sha, url: `${this.at_(repository)}/commits/${sha}`};
  }

  pull(repository, pull, {listed = false} = {}) {
    const url = `${this.at_(repository)}/pullRequests/${pull.number}`;
    const answer = {
      repository: this.repository(repository), pullRequestId: pull.number, codeReviewId: pull.number, status: pull.status,
      createdBy: this.identity(pull.login, repository.organization), creationDate: pull.createdAt, title: pull.title,
      description: listed ? pull.body.slice(0, kListed) : pull.body, sourceRefName: refOf(pull.head), targetRefName: refOf(pull.base),
      mergeStatus: pull.mergeStatus, isDraft: pull.draft, mergeId: repository.id, lastMergeSourceCommit: this.commit_(repository, pull.headSha),
      lastMergeTargetCommit: this.commit_(repository, pull.baseSha), reviewers: pull.reviewers.map((each) => this.reviewer(repository, pull, each)),
      labels: pull.labels.map((name) => this.label(repository, pull, name)), url, supportsIterations: true,
      artifactId: `vstfs:///Git/PullRequestId/${repository.projectId}%2f${repository.id}%2f${pull.number}`,
    };
    if (pull.mergeCommitSha) answer.lastMergeCommit = this.commit_(repository, pull.mergeCommitSha);
    if (pull.closedAt) Object.assign(answer, {closedDate: pull.closedAt, closedBy: this.identity(pull.closedBy, repository.organization)});
    if (pull.completing) answer.completionQueueTime = pull.createdAt;
    if (pull.completion) answer.completionOptions = pull.completion;
    if (pull.autoComplete) answer.autoCompleteSetBy = this.identity(pull.autoComplete, repository.organization);
    if (pull.fork) answer.forkSource = {name: refOf(pull.head), repository: {...this.repository(repository), name: pull.fork}};
    return answer;
  }

  reviewer(repository, pull, {login, vote, isRequired}) {
    return {
      ...this.identity(login, repository.organization), vote, isRequired, hasDeclined: false, isFlagged: false,
      reviewerUrl: `${this.at_(repository)}/pullRequests/${pull.number}/reviewers/${this.azure.identity(login).id}`,
    };
  }

  label(repository, pull, name) {
    const {id} = this.azure.identity(`label ${name}`);
    return {id, name, active: true, url: `${this.at_(repository)}/pullRequests/${pull.number}/labels/${id}`};
  }

  status(repository, status) {
    return {
      id: status.id, state: status.state, description: status.description ?? '', context: {name: status.name, ...(status.genre ? {genre: status.genre} : {})},
      creationDate: status.createdAt, updatedDate: status.createdAt, createdBy: this.identity(status.login, repository.organization),
      ...(status.targetUrl ? {targetUrl: status.targetUrl} : {}),
    };
  }

  evaluation(repository, pull, policy) {
    return {
      evaluationId: this.azure.identity(`evaluation ${policy.id} ${pull.number}`).id, status: repository.evaluation(pull, policy),
      artifactId: `vstfs:///CodeReview/CodeReviewId/${repository.projectId}/${pull.number}`, startedDate: pull.createdAt,
      configuration: {
        id: policy.id, isEnabled: true, isBlocking: policy.isBlocking !== false, isDeleted: false, revision: 1,
        type: {id: this.azure.identity(`policy ${policy.kind}`).id, displayName: policy.kind}, settings: {},
      },
    };
  }

  refUpdate(repository, {name, oldObjectId, newObjectId}, updateStatus) {
    return {repositoryId: repository.id, name, oldObjectId, newObjectId, isLocked: false, updateStatus, success: updateStatus === 'succeeded'};
  }

  ref(repository, branch, sha) {
    return {name: refOf(branch), objectId: sha, url: `${this.at_(repository)}/refs?filter=heads%2F${branchOf(refOf(branch))}`};
  }
}

// A refusal as the service words it.
export function refusal(status, typeKey, message, headers = {}) {
  return {
    status, headers,
    body: {$id: '1', innerException: null, message, typeName: `Microsoft.TeamFoundation.Git.Server.${typeKey}, Microsoft.TeamFoundation.Git.Server`, typeKey, errorCode: 0, eventId: 3000},
  };
}
