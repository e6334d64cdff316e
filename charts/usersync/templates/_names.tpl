{{/* The name of everything that is made: the release's, with the chart's where that says more. */}}
{{- define "usersync.name" -}}
{{- $chart := default .Chart.Name .Values.nameOverride -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 63 | trimSuffix "-" -}}
{{- else if contains $chart .Release.Name -}}
{{- .Release.Name | trunc 63 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $chart | trunc 63 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{/* By which the operator's pods are selected: never changes. */}}
{{- define "usersync.selector" -}}
app.kubernetes.io/name: {{ default .Chart.Name .Values.nameOverride }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "usersync.labels" -}}
{{ include "usersync.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end -}}

{{- define "usersync.serviceAccount" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "usersync.name" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- required "serviceAccount.create is false: serviceAccount.name must say which one is used" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{- define "usersync.image" -}}
{{- if .Values.image.digest -}}
{{- printf "%s@%s" .Values.image.repository .Values.image.digest -}}
{{- else -}}
{{- printf "%s:%s" .Values.image.repository (default .Chart.AppVersion .Values.image.tag) -}}
{{- end -}}
{{- end -}}

{{- define "usersync.claim" -}}
{{- default (include "usersync.name" .) .Values.storage.existingClaim -}}
{{- end -}}

{{/* What the operator may do with the syncs of a namespace, or of all. */}}
{{- define "usersync.rules" -}}
- apiGroups: [usersync.dev]
  resources: [usersyncs]
  verbs: [get, list, watch]
- apiGroups: [usersync.dev]
  resources: [usersyncruns]
  verbs: [get, list, watch, create, delete]
- apiGroups: [usersync.dev]
  resources: [usersyncs/status, usersyncruns/status]
  verbs: [patch]
# One by its name at a time: a list or a watch would show them all.
- apiGroups: [""]
  resources: [secrets, configmaps]
  verbs: [get]
- apiGroups: [events.k8s.io]
  resources: [events]
  verbs: [create]
{{- end -}}

{{- define "usersync.subject" -}}
- kind: ServiceAccount
  name: {{ include "usersync.serviceAccount" . }}
  namespace: {{ .Release.Namespace }}
{{- end -}}
