"""Value orientations of many roles under many settings, as one resumable stream (Kang et al., ACL 2025)."""
