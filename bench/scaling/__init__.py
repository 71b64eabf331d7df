"""`make scaling`: what a HorizontalPodAutoscaler with the operator's rules does with loads of many kinds.

No cluster is needed; the tables are those of docs/how-to/autoscaling.md.
"""
