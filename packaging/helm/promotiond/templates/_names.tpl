{{- define "promotiond.fullname" -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 52 | trimSuffix "-" -}}
{{- else if contains $name .Release.Name -}}
{{- .Release.Name | trunc 52 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 52 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "promotiond.selector" -}}
app.kubernetes.io/name: {{ default .Chart.Name .Values.nameOverride }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "promotiond.labels" -}}
{{ include "promotiond.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end -}}

{{- define "promotiond.account" -}}
{{ default (include "promotiond.fullname" .) .Values.serviceAccount.name }}
{{- end -}}

{{- define "promotiond.image" -}}
{{- if .Values.image.digest -}}
{{ .Values.image.repository }}@{{ .Values.image.digest }}
{{- else -}}
{{ .Values.image.repository }}:{{ default .Chart.AppVersion .Values.image.tag }}
{{- end -}}
{{- end -}}

{{/* The volume with the service account's token, which the kubelet renews. */}}
{{- define "promotiond.token" -}}
- name: token
  projected:
    defaultMode: 0440
    sources:
    - serviceAccountToken: {path: token, expirationSeconds: 3600}
    - configMap: {name: kube-root-ca.crt, items: [{key: ca.crt, path: ca.crt}]}
    - downwardAPI: {items: [{path: namespace, fieldRef: {fieldPath: metadata.namespace}}]}
{{- end -}}

{{/* promotiond.yaml: what a pod needs, under what the values say. */}}
{{- define "promotiond.config" -}}
{{- $kubernetes := dict -}}
{{- if gt (int .Values.replicas) 1 -}}
{{- $_ := set $kubernetes "leaderElection" (dict "enabled" true "name" (include "promotiond.fullname" .)) -}}
{{- end -}}
{{- $config := dict
    "server" (dict "listen" "0.0.0.0:8082" "health" "0.0.0.0:8081")
    "platform" (dict "kubernetes" $kubernetes)
    "journal" (dict "path" "/var/lib/promotiond/journal.db")
    "cache" (dict "directory" "/var/cache/promotiond")
    "strategies" (dict "directory" "/usr/lib/x86_64-linux-gnu/promotiond/strategies")
    "log" (dict "format" "json") -}}
{{- toYaml (mustMergeOverwrite $config (deepCopy .Values.config)) -}}
{{- end -}}
