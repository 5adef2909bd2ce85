"""inscape as a service: a documented HTTP API over the functions of the package, and the page that uses it.

There is no physics here: each endpoint parses, calls one function, and answers. `create_app` puts it together.
"""

from inscape.web.app import create_app
from inscape.web.options import ServiceOptions

__all__ = ["ServiceOptions", "create_app"]
