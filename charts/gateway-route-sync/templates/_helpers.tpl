{{- define "gateway-route-sync.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{- define "gateway-route-sync.fullname" -}}
{{- $name := default .Chart.Name .Values.nameOverride }}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 63 | trimSuffix "-" }}
{{- else if contains $name .Release.Name }}
{{- .Release.Name | trunc 63 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name $name | trunc 63 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{- define "gateway-route-sync.selectorLabels" -}}
app.kubernetes.io/name: {{ include "gateway-route-sync.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "gateway-route-sync.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{ include "gateway-route-sync.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}

{{- /*
The labels and annotations of an object: those of all objects, and its own, which win.
Takes a dictionary with root, and possibly labels and annotations. With pod the labels that change with the chart are left
out: they would replace pods that are as they should be.
*/ -}}
{{- define "gateway-route-sync.metadata" -}}
labels:
  {{- $own := include (ternary "gateway-route-sync.selectorLabels" "gateway-route-sync.labels" (default false .pod)) .root | fromYaml }}
  {{- mergeOverwrite dict .root.Values.commonLabels (.labels | default dict) $own | toYaml | nindent 2 }}
{{- with mergeOverwrite dict .root.Values.commonAnnotations (.annotations | default dict) }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{- define "gateway-route-sync.serviceAccountName" -}}
{{- if .Values.serviceAccount.create }}
{{- default (include "gateway-route-sync.fullname" .) .Values.serviceAccount.name }}
{{- else }}
{{- default "default" .Values.serviceAccount.name }}
{{- end }}
{{- end }}

{{- define "gateway-route-sync.image" -}}
{{- with .Values.deployment.image }}
{{- if .digest }}
{{- printf "%s@%s" .repository .digest }}
{{- else }}
{{- printf "%s:%s" .repository (default $.Chart.AppVersion .tag) }}
{{- end }}
{{- end }}
{{- end }}

{{- /* "true" where a Lease decides who works. */ -}}
{{- define "gateway-route-sync.leaderElection" -}}
{{- $replicas := int .Values.deployment.replicas }}
{{- if kindIs "bool" .Values.deployment.leaderElection }}
{{- if and (gt $replicas 1) (not .Values.deployment.leaderElection) }}
{{- fail (printf "deployment.replicas is %d and deployment.leaderElection is false: all replicas would work at once. Leave deployment.leaderElection out, or have one replica." $replicas) }}
{{- end }}
{{- .Values.deployment.leaderElection }}
{{- else }}
{{- gt $replicas 1 }}
{{- end }}
{{- end }}

{{- /*
"true" where the Deployment that is there now runs without leader election, so that its pods have to be gone before
others begin. Without a cluster, as in `helm template`, there is none.
*/ -}}
{{- define "gateway-route-sync.replacesUnelected" -}}
{{- $existing := lookup "apps/v1" "Deployment" .Release.Namespace (include "gateway-route-sync.fullname" .) }}
{{- if $existing }}
{{- $arguments := (first $existing.spec.template.spec.containers).args | default list }}
{{- not (has "--leader-election=true" $arguments) }}
{{- end }}
{{- end }}

{{- define "gateway-route-sync.strategy" -}}
{{- $strategy := .Values.deployment.strategy }}
{{- if not $strategy }}
{{- $aside := and (eq (include "gateway-route-sync.leaderElection" .) "true") (ne (include "gateway-route-sync.replacesUnelected" .) "true") }}
{{- $strategy = dict "type" (ternary "RollingUpdate" "Recreate" $aside) }}
{{- end }}
{{- if eq $strategy.type "RollingUpdate" }}
{{- /* As the API server would have it. Said here, because only what is said here goes again with the type. */ -}}
{{- $strategy = mergeOverwrite (dict "rollingUpdate" (dict "maxSurge" "25%" "maxUnavailable" "25%")) $strategy }}
{{- end }}
{{- toYaml $strategy }}
{{- end }}
