{{- define "corsward.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 40 | trimSuffix "-" }}
{{- end }}

{{- /* At most 40 characters, so that every suffix below fits into 63. */}}
{{- define "corsward.fullname" -}}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" }}
{{- else if contains (include "corsward.name" .) .Release.Name }}
{{- .Release.Name | trunc 40 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name (include "corsward.name" .) | trunc 40 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{- define "corsward.modules" -}}{{ include "corsward.fullname" . }}-modules{{- end }}
{{- define "corsward.webhook" -}}{{ include "corsward.fullname" . }}-webhook{{- end }}
{{- define "corsward.metrics" -}}{{ include "corsward.fullname" . }}-metrics{{- end }}
{{- define "corsward.cleanup" -}}{{ include "corsward.fullname" . }}-cleanup{{- end }}

{{- /* The name of the Secret that holds the webhook's certificate, and of the Lease. */}}
{{- define "corsward.webhookSecret" -}}
{{- default (printf "%s-certificate" (include "corsward.webhook" .)) .Values.webhook.certificate.existingSecret }}
{{- end }}
{{- define "corsward.enforcement" -}}{{ include "corsward.fullname" . }}-enforcement{{- end }}
{{- define "corsward.lease" -}}{{ include "corsward.fullname" . }}{{- end }}

{{- define "corsward.serviceAccountName" -}}
{{- if .Values.serviceAccount.create }}
{{- default (include "corsward.fullname" .) .Values.serviceAccount.name }}
{{- else }}
{{- required "serviceAccount.name: name the service account that is there, or set serviceAccount.create" .Values.serviceAccount.name }}
{{- end }}
{{- end }}

{{- define "corsward.selectorLabels" -}}
app.kubernetes.io/name: {{ include "corsward.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: operator
{{- end }}

{{- define "corsward.commonLabels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
app.kubernetes.io/part-of: corsward
{{- end }}

{{- define "corsward.labels" -}}
{{ include "corsward.labelsWith" (dict "context" .) }}
{{- end }}

{{- /* Further labels of the user's: those of one object win over those of all. */}}
{{- define "corsward.userLabels" -}}
{{- with merge (dict) (default dict .labels) .context.Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "corsward.labelsWith" -}}
{{ include "corsward.selectorLabels" .context }}
{{ include "corsward.commonLabels" .context }}
{{- include "corsward.userLabels" . }}
{{- end }}

{{- /* The annotations of an object, where it has any; those that the chart gives it win over those of all. */}}
{{- define "corsward.annotations" -}}
{{- with merge (dict) (default dict .own) .context.Values.commonAnnotations }}
{{- printf "\n  annotations:\n%s" (toYaml . | indent 4) }}
{{- end }}
{{- end }}

{{- /* A definition, which is text that Go templates would change where they read it: labels and annotations go between its lines. */}}
{{- define "corsward.definition" -}}
{{- $text := .text }}
{{- with .context.Values.commonAnnotations }}
{{- $text = $text | replace "\n  annotations:\n" (printf "\n  annotations:\n%s\n" (toYaml . | indent 4)) }}
{{- end }}
{{- with .context.Values.commonLabels }}
{{- $labels := printf "\n  labels:\n%s\n" (toYaml . | indent 4) }}
{{- if contains "\n  labels:\n" $text }}
{{- $text = $text | replace "\n  labels:\n" $labels }}
{{- else }}
{{- $text = $text | replace "\n  annotations:\n" (printf "%s  annotations:\n" $labels) }}
{{- end }}
{{- end }}
{{- $text }}
{{- end }}

{{- /* Labels of a pod that runs once: never those that the Deployment and the Services select by. */}}
{{- define "corsward.onceLabels" -}}
app.kubernetes.io/name: {{ include "corsward.name" .context }}
app.kubernetes.io/instance: {{ .context.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{ include "corsward.commonLabels" .context }}
{{- include "corsward.userLabels" . }}
{{- end }}

{{- /* No mesh around the operator: proxies ask it for modules before they are ready, and the API server has no mTLS of the mesh. */}}
{{- define "corsward.outOfMesh" -}}
sidecar.istio.io/inject: "false"
istio.io/dataplane-mode: none
{{- end }}

{{- define "corsward.image" -}}
{{- if .Values.image.digest }}
{{- printf "%s@%s" .Values.image.repository .Values.image.digest }}
{{- else }}
{{- printf "%s:%s" .Values.image.repository (default .Chart.AppVersion .Values.image.tag) }}
{{- end }}
{{- end }}

{{- /* What every pod of this chart has: PodSecurity `restricted`. */}}
{{- define "corsward.podSecurity" -}}
runAsNonRoot: true
{{- with .Values.runAsUser }}
runAsUser: {{ int64 . }}
runAsGroup: {{ int64 . }}
{{- end }}
seccompProfile:
  type: RuntimeDefault
{{- end }}
{{- define "corsward.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end }}

{{- /* Where pods of this chart may run, and with which right to an image. */}}
{{- define "corsward.placement" -}}
{{- with .Values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with .Values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{- /* What `--module` says. */}}
{{- define "corsward.module" -}}
{{- if and .Values.module.oci.url (ne .Values.module.from "oci") }}
{{- fail "module.oci.url: it is used with `module.from: oci` alone: write that too, or leave the address empty" }}
{{- end }}
{{- if eq .Values.publish.to "configmap" }}
{{- $name := ternary "libcorsward.so" "corsward_filter.wasm" (eq .Values.publish.filter "native") }}
{{- .Values.module.path | default (printf "/etc/corsward/%s" $name) }}
{{- else if eq .Values.publish.filter "native" }}
{{- fail "publish.filter: Istio brings its proxies a Wasm filter alone: write `wasm`, or `publish.to: configmap`" }}
{{- else if eq .Values.module.from "oci" }}
{{- required "module.oci.url: with `module.from: oci` write the image's address, oci://REGISTRY/NAME@sha256:DIGEST" .Values.module.oci.url }}
{{- else -}}
/corsward_filter.wasm
{{- end }}
{{- end }}

{{- /* Non-empty where the operator serves modules to proxies. */}}
{{- define "corsward.servesModules" -}}
{{- if and (eq .Values.publish.to "istio") (eq .Values.module.from "served") }}true{{ end }}
{{- end }}

{{- /* Resource and API group of the objects that are published. */}}
{{- define "corsward.publishedRule" -}}
{{- if eq .Values.publish.to "configmap" -}}
apiGroups: [""]
resources: [configmaps]
{{- else if eq .Values.publish.istio.kind "EnvoyFilter" -}}
apiGroups: [networking.istio.io]
resources: [envoyfilters]
{{- else if eq .Values.publish.istio.kind "TrafficExtension" -}}
apiGroups: [extensions.istio.io]
resources: [trafficextensions]
{{- else if eq .Values.publish.istio.kind "Auto" -}}
apiGroups: [extensions.istio.io]
resources: [wasmplugins, trafficextensions]
{{- else -}}
apiGroups: [extensions.istio.io]
resources: [wasmplugins]
{{- end }}
{{- end }}
