"""Schedules in cron's notation. Pure: which times they name, not what happens then."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

_FIELDS = 5
_CHARACTERS = 200
_SOME_DAY = datetime(2024, 1, 1, tzinfo=UTC)
_NEAR = timedelta(days=2)


@dataclass(frozen=True, slots=True)
class Schedule:
    """A cron expression of five fields and the time zone that it is meant in.

    The clock's changes count as in Debian's cron: what stands at a fixed time of the day comes once a day,
    also on the days on which that time is skipped or comes twice.
    """

    text: str
    zone: str

    def after(self, moment: datetime) -> datetime | None:
        """Return the first time after a moment, in UTC; None if none comes in the next 50 years."""
        return next((at for at in self._from(moment) if at > moment), None)

    def latest(self, after: datetime, now: datetime) -> datetime | None:
        """Return the latest time that lies after one moment and not after the other, None if none does."""
        found = None
        for at in self._from(self._near(after, now)):
            if at > now:
                break
            if at > after:
                found = at
        return found

    def _from(self, moment: datetime) -> Iterator[datetime]:
        return (at.astimezone(UTC) for at in CronSim(self.text, moment.astimezone(ZoneInfo(self.zone))))

    def _near(self, after: datetime, now: datetime) -> datetime:
        """Return from where to search, so that a year of minutes is not gone through one by one."""
        if now - after < _NEAR:
            return after
        back = CronSim(self.text, now.astimezone(ZoneInfo(self.zone)), reverse=True)
        # Backwards it only finds the neighbourhood: which times there are is said by going forward alone.
        there = next(back, None)
        return after if there is None else max(after, there.astimezone(UTC) - _NEAR)


def check_schedule(text: str) -> str:
    """Return the expression. Raises ValueError if it is none, or names no time that ever comes."""
    if len(text) > _CHARACTERS or len(text.split()) != _FIELDS:
        raise ValueError(
            "must have five fields (minute, hour, day of month, month, day of week), such as 0 8 * * MON-FRI"
        )
    try:
        comes = next(CronSim(text, _SOME_DAY), None)
    except (CronSimError, ValueError) as error:
        wrong = str(error).removeprefix("Bad ") if isinstance(error, CronSimError) else "number"
        raise ValueError(f"must be a cron expression such as 0 8 * * MON-FRI: its {wrong} is wrong") from None
    if comes is None:
        raise ValueError("names no time that ever comes")
    return text
