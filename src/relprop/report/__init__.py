"""A report on a user's model and data: explained, drawn, measured, in one folder.

Takes settings. Gives files: a page, images, numbers. Sits on all other folders but the demo's.
"""
