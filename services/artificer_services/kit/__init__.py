"""What services share: errors and their statuses, paging, lifecycle, pages, settings, periodic work, databases.

Knows no service. Each file is imported by itself: worker processes need only a few of them.
"""
