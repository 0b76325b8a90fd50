"""The real parts that the tests run against: notary behind an MSR front, PostgreSQL, SMTP, HTTP receivers."""
