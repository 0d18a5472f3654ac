"""Turn findings, facts and plan into documents that an auditor can read and verify."""
