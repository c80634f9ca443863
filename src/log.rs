//! Logs: none by default; `ECR_LOGIN_LOG` turns them on.
