"""The files that ``init`` writes, and ``.env.example``: one source for the text and for the tests."""

from typing import Final

RELAY_YAML: Final = """\
# MSR Relay. Check it with:  msr-relay check --live
# Every key is explained in docs/reference/configuration.md. ${NAME} comes from .env or the environment.

store: sqlite:///relay.db              # or postgresql://user:${DB_PASSWORD}@host/database

clusters:
  - name: prod
    url: https://msr.example.com
    # One URL per replica, so that each is asked by itself:
    # replicas: [https://msr-1.example.com, https://msr-2.example.com, https://msr-3.example.com]
    username: relay
    password: ${MSR_PASSWORD}
    # ca_file: /etc/ssl/msr-ca.pem     # the CA that signed MSR's certificate
    # Only an administrator may read the changefeed of all repositories. Otherwise list them:
    # repositories: [prod/app, prod/api]
    # watch: {ping: 10s, nginx_status: 30s, cluster_status: 15s, changefeed: 15s}   # or off

channels:
  - name: security
    kind: slack
    webhook_url: ${SLACK_WEBHOOK_URL}

  # - name: soc
  #   kind: webhook
  #   url: https://soc.example.com/hooks/msr
  #   secrets: ["${SOC_SECRET}"]       # whsec_ and base64 of 32 random bytes

  # - name: oncall
  #   kind: email
  #   smtp: {host: smtp.example.com, port: 587, tls: starttls, username: relay, password: "${SMTP_PASSWORD}"}
  #   from: MSR Relay <relay@example.com>
  #   to: [oncall@example.com]

# MSR and Alertmanager can tell by this relay too: docs/how-to/take-webhooks-in.md
# hooks:
#   - name: prod-msr
#     kind: msr
#     cluster: prod
#     secret: ${HOOK_SECRET}

# What was seen can be proven later, more so if it is anchored and signed: docs/how-to/evidence.md
# evidence:
#   anchor: {channel: oncall}

# Without rules everything of severity warning and worse goes to every channel.
# rules:
#   - name: trust deletions
#     match: {type: trust.deleted, repository: ["prod/**", "!prod/scratch-*"]}
#     channels: [security]
#   - name: trouble
#     match: {severity: ">= warning"}
#     channels: [security]
"""

DOTENV: Final = """\
# Secrets for relay.yaml. Keep this file to yourself (mode 600) and out of version control.

MSR_PASSWORD=
SLACK_WEBHOOK_URL=
# SOC_SECRET=
# SMTP_PASSWORD=
# HOOK_SECRET=
"""

PLACEHOLDERS: Final = ("https://msr.example.com", "username: relay")
"""What has to be changed in relay.yaml; in .env, what is empty."""

ENV_EXAMPLE: Final = """\
# One cluster and one channel of each kind, without any YAML: copy this to .env, fill it in, and take the #
# from the lines that you need. Then: msr-relay check --live
# A secret may also be a file: RELAY_MSR_PASSWORD_FILE=/run/secrets/msr-password

# --- the cluster ---------------------------------------------------------------------------------------
RELAY_MSR_URL=https://msr.example.com
RELAY_MSR_USERNAME=relay
RELAY_MSR_PASSWORD=change-me
# One URL per replica, so that each is asked by itself:
#RELAY_MSR_REPLICAS=https://msr-1.example.com,https://msr-2.example.com
# PEM file of the CA that signed MSR's certificate:
#RELAY_MSR_CA_FILE=/etc/ssl/msr-ca.pem
# false accepts any certificate; unsafe:
#RELAY_MSR_VERIFY=true
# The repositories whose changefeed is read, where the user is no administrator:
#RELAY_MSR_REPOSITORIES=prod/app,prod/api
# The host in the names under which trust data is signed, if it is not that of the URL:
#RELAY_MSR_REGISTRY_HOST=msr.example.com

# --- Slack: an incoming webhook ---------------------------------------------------------------------------
#RELAY_SLACK_WEBHOOK_URL=https://hooks.slack.com/services/change/me

# --- Slack: or a bot's token and a channel ----------------------------------------------------------------
#RELAY_SLACK_TOKEN=xoxb-change-me
#RELAY_SLACK_CHANNEL=C0123456789

# --- any webhook; the secret signs it: whsec_ and base64 of 32 random bytes -------------------------------
#RELAY_WEBHOOK_URL=https://soc.example.com/hooks/msr
#RELAY_WEBHOOK_SECRET=whsec_Y2hhbmdlLW1lLWNoYW5nZS1tZS1jaGFuZ2UtbWUtY2g=

# --- mail; RELAY_SMTP_TLS is starttls, tls or none --------------------------------------------------------
#RELAY_EMAIL_FROM=MSR Relay <relay@example.com>
#RELAY_EMAIL_TO=oncall@example.com
#RELAY_SMTP_HOST=smtp.example.com
#RELAY_SMTP_PORT=587
#RELAY_SMTP_TLS=starttls
#RELAY_SMTP_USERNAME=relay
#RELAY_SMTP_PASSWORD=change-me

# --- any service that Apprise reaches ---------------------------------------------------------------------
#RELAY_APPRISE_URLS=pover://user@token
"""
