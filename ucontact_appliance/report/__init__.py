"""Evidence: from findings, facts and plan to documents that an auditor can read and check."""
