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

{{- /* What the operator may do where it works. tests/operator/test_rights.py proves that each verb is used. */}}
{{- define "sentiment-operator.rules" -}}
- apiGroups: [sentiment-operator.io]
  resources: [sentimentservices, sentimentmodels]
  verbs: [get, list, watch]
- apiGroups: [sentiment-operator.io]
  resources: [sentimentservices/status, sentimentmodels/status]
  verbs: [patch]
# Owner references with blockOwnerDeletion need this where OwnerReferencesPermissionEnforcement is on (OpenShift).
- apiGroups: [sentiment-operator.io]
  resources: [sentimentservices/finalizers, sentimentmodels/finalizers]
  verbs: [update]
# These two go with their SentimentService only, which is the garbage collector's work.
- apiGroups: [apps]
  resources: [deployments]
  verbs: [get, list, watch, create, patch]
- apiGroups: [""]
  resources: [services]
  verbs: [get, list, watch, create, patch]
- apiGroups: [batch]
  resources: [jobs]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [""]
  resources: [persistentvolumeclaims, configmaps]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [autoscaling]
  resources: [horizontalpodautoscalers]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [policy]
  resources: [poddisruptionbudgets]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [networking.k8s.io]
  resources: [ingresses, networkpolicies]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [gateway.networking.k8s.io]
  resources: [httproutes]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [keda.sh]
  resources: [scaledobjects]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [monitoring.coreos.com]
  resources: [servicemonitors, prometheusrules]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [""]
  resources: [pods]
  verbs: [list, watch]
- apiGroups: [""]
  resources: [events]
  verbs: [create, list]
{{- end }}
