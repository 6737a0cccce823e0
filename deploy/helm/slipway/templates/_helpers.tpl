{{- define "slipway.name" -}}
{{- if contains .Chart.Name .Release.Name -}}{{ .Release.Name | trunc 50 | trimSuffix "-" }}{{- else -}}{{ printf "%s-%s" .Release.Name .Chart.Name | trunc 50 | trimSuffix "-" }}{{- end -}}
{{- end -}}

{{- define "slipway.image" -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end -}}

{{/* What a Deployment selects its pods by: (list $ "worker"). */}}
{{- define "slipway.selector" -}}
app.kubernetes.io/name: {{ (index . 0).Chart.Name }}
app.kubernetes.io/instance: {{ (index . 0).Release.Name }}
app.kubernetes.io/component: {{ index . 1 }}
{{- end -}}

{{- define "slipway.labels" -}}
{{ include "slipway.selector" . }}
app.kubernetes.io/version: {{ (index . 0).Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ (index . 0).Release.Service }}
helm.sh/chart: {{ (index . 0).Chart.Name }}-{{ (index . 0).Chart.Version }}
{{- end -}}

{{/* Of every pod: nothing that it does needs a privilege. Its children jail themselves further. */}}
{{- define "slipway.podSecurity" -}}
runAsNonRoot: true
runAsUser: 10001
runAsGroup: 10001
fsGroup: 10001
fsGroupChangePolicy: OnRootMismatch
seccompProfile: {type: RuntimeDefault}
{{- end -}}
{{- define "slipway.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end -}}

{{/* What both daemons are told. */}}
{{- define "slipway.env" -}}
- {name: SLIPWAY_REDIS, value: {{ .Values.redis.address | quote }}}
- {name: SLIPWAY_SHARD, value: {{ .Values.redis.shard | quote }}}
- {name: SLIPWAY_STORE, value: {{ .Values.store.url | default "/var/lib/slipway" | quote }}}
- {name: SLIPWAY_LEASE, value: {{ .Values.leaseSeconds | quote }}}
- {name: SLIPWAY_LOG_LEVEL, value: {{ .Values.logLevel | quote }}}
- {name: SLIPWAY_LOG_FORMAT, value: json}
- {name: SLIPWAY_METRICS_LISTEN, value: "0.0.0.0:9464"}
{{- if .Values.redis.passwordSecret }}
- {name: SLIPWAY_REDIS_PASSWORD_FILE, value: /etc/slipway/redis/password}
{{- end }}
{{- with .Values.redis.user }}
- {name: SLIPWAY_REDIS_USER, value: {{ . | quote }}}
{{- end }}
{{- if .Values.redis.sentinelPasswordSecret }}
- {name: SLIPWAY_REDIS_SENTINEL_PASSWORD_FILE, value: /etc/slipway/sentinel/password}
{{- end }}
{{- with .Values.redis.tls }}
{{- if .enabled }}
- {name: SLIPWAY_REDIS_TLS, value: "true"}
{{- if .secret }}
- {name: SLIPWAY_REDIS_TLS_CA, value: /etc/slipway/redis-tls/ca.crt}
{{- end }}
{{- if .clientCertificate }}
- {name: SLIPWAY_REDIS_TLS_CERT, value: /etc/slipway/redis-tls/tls.crt}
- {name: SLIPWAY_REDIS_TLS_KEY, value: /etc/slipway/redis-tls/tls.key}
{{- end }}
{{- if .serverName }}
- {name: SLIPWAY_REDIS_TLS_NAME, value: {{ .serverName | quote }}}
{{- end }}
{{- end }}
{{- end }}
{{- if .Values.store.credentialsSecret }}
- {name: SLIPWAY_STORE_CREDENTIALS, value: /etc/slipway/store/credentials}
{{- end }}
{{- end -}}

{{- define "slipway.mounts" -}}
- {name: tmp, mountPath: /tmp}
{{- if not .Values.store.url }}
- {name: store, mountPath: /var/lib/slipway}
{{- end }}
{{- if .Values.redis.passwordSecret }}
- {name: redis-password, mountPath: /etc/slipway/redis, readOnly: true}
{{- end }}
{{- if .Values.redis.sentinelPasswordSecret }}
- {name: sentinel-password, mountPath: /etc/slipway/sentinel, readOnly: true}
{{- end }}
{{- if and .Values.redis.tls.enabled .Values.redis.tls.secret }}
- {name: redis-tls, mountPath: /etc/slipway/redis-tls, readOnly: true}
{{- end }}
{{- if .Values.store.credentialsSecret }}
- {name: store-credentials, mountPath: /etc/slipway/store, readOnly: true}
{{- end }}
{{- end -}}

{{- define "slipway.volumes" -}}
- {name: tmp, emptyDir: {}}
{{- if not .Values.store.url }}
- name: store
  persistentVolumeClaim:
    claimName: {{ .Values.store.existingClaim | default (printf "%s-store" (include "slipway.name" .)) }}
{{- end }}
{{- if .Values.redis.passwordSecret }}
- name: redis-password
  secret: {secretName: {{ .Values.redis.passwordSecret }}, defaultMode: 0440}
{{- end }}
{{- if .Values.redis.sentinelPasswordSecret }}
- name: sentinel-password
  secret: {secretName: {{ .Values.redis.sentinelPasswordSecret }}, defaultMode: 0440}
{{- end }}
{{- if and .Values.redis.tls.enabled .Values.redis.tls.secret }}
- name: redis-tls
  secret: {secretName: {{ .Values.redis.tls.secret }}, defaultMode: 0440}
{{- end }}
{{- if .Values.store.credentialsSecret }}
- name: store-credentials
  secret: {secretName: {{ .Values.store.credentialsSecret }}, defaultMode: 0440}
{{- end }}
{{- end -}}
