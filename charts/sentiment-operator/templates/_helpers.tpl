{{- define "sentiment-operator.selector" -}}
app.kubernetes.io/name: sentiment-operator
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "sentiment-operator.labels" -}}
{{ include "sentiment-operator.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end }}

{{- /* What the operator may do; see docs/architecture.md for why each is needed. */}}
{{- define "sentiment-operator.rules" -}}
- apiGroups: [sentiment-operator.io]
  resources: [sentimentservices]
  verbs: [get, list, watch]
- apiGroups: [sentiment-operator.io]
  resources: [sentimentservices/status]
  verbs: [patch]
- apiGroups: [sentiment-operator.io]
  resources: [sentimentservices/finalizers]
  verbs: [update]
- apiGroups: [apps]
  resources: [deployments]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [""]
  resources: [services, persistentvolumeclaims]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [""]
  resources: [pods]
  verbs: [get, list, watch]
- apiGroups: [""]
  resources: [events]
  verbs: [create]
{{- end }}
