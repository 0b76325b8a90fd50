"""What Slack's own error codes mean: they come with any status, in the Web API even with 200.

Sources: docs.slack.dev, reference/methods/chat.postMessage and chat.update (errors); for incoming webhooks
messaging/sending-messages-using-incoming-webhooks (error handling) and changelog/2016-05-17.
"""

from typing import Final

from relay.channels.errors import BadBody, Refused, Rejected, Retryable, SendError


class LostThreadError(Rejected):
    """The message that was to be answered in its thread is gone, or takes no answers."""


_TABLE: Final[tuple[tuple[type[SendError], str, str], ...]] = (
    (
        Refused,
        "Slack does not accept the token: install the app again and set its new token",
        "invalid_auth not_authed account_inactive token_revoked token_expired invalid_token",
    ),
    (
        Refused,
        "the token may not do this: give the app the scope chat:write and install it again",
        "missing_scope not_allowed_token_type no_permission",
    ),
    (
        Refused,
        "the workspace does not let this app in: ask its administrators",
        "access_denied accesslimited ekm_access_denied org_login_required enterprise_is_restricted "
        "team_access_not_granted two_factor_setup_required user_is_restricted team_disabled",
    ),
    (
        Refused,
        "there is no such channel, or the app cannot see it: correct `channel`, or invite the app",
        "channel_not_found user_not_found",
    ),
    (
        Refused,
        "the app is not in the channel: invite it there, or give it chat:write.public",
        "not_in_channel",
    ),
    (
        Refused,
        "the channel is archived: unarchive it, or choose another one",
        "is_archived channel_is_archived",
    ),
    (
        Refused,
        "this incoming webhook was removed or disabled: make a new one and set `webhook_url`",
        "no_service no_service_id no_team team_not_found no_active_hooks",
    ),
    (
        Refused,
        "the workspace forbids posting there: ask its administrators, or choose another channel",
        "action_prohibited posting_to_general_channel_denied messages_tab_disabled restricted_action "
        "restricted_action_read_only_channel restricted_action_non_threadable_channel",
    ),
    (
        Refused,
        "Slack does not know this method: correct `api_url`, or update the relay",
        "method_deprecated deprecated_endpoint unknown_method",
    ),
    (
        Retryable,
        "Slack wants fewer messages: lower `rate`",
        "ratelimited rate_limited message_limit_exceeded",
    ),
    (
        Retryable,
        "Slack has a fault",
        "internal_error fatal_error service_unavailable request_timeout rollup_error team_added_to_org",
    ),
    (
        BadBody,
        "Slack does not take a message of this form: correct the template",
        "invalid_blocks invalid_blocks_format invalid_attachments invalid_payload invalid_arguments "
        "invalid_json json_not_object no_text markdown_text_conflict msg_too_long msg_blocks_too_long "
        "too_many_blocks too_many_attachments attachment_payload_limit_exceeded "
        "missing_text_or_fallback_or_attachments",
    ),
    (
        Rejected,
        "the first message can no longer be changed",
        "message_not_found cant_update_message edit_window_closed update_failed",
    ),
    (
        LostThreadError,
        "the first message takes no answers",
        "thread_not_found invalid_thread_ts cannot_reply_to_message restricted_action_thread_locked",
    ),
)
_ADVICE: Final = {code: (kind, advice) for kind, advice, codes in _TABLE for code in codes.split()}
_UNKNOWN: Final = (Retryable, "an error that the relay does not know")


def known(code: str) -> bool:
    """Whether a text is one of Slack's error codes."""
    return code in _ADVICE


def by_code(code: str, status: int, answer: str, wait: float | None) -> SendError:
    """The error that a code means. `wait`: what Retry-After asks for, in seconds; only Retryable has it."""
    kind, advice = _ADVICE.get(code, _UNKNOWN)
    return kind(
        f"Slack says {code}: {advice}",
        status=status,
        answer=answer,
        retry_after=wait if kind is Retryable else None,
    )
