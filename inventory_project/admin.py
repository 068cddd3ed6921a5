"""The first page of the admin, and people and their groups in its style."""

from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.contrib.auth.admin import GroupAdmin, UserAdmin
from django.contrib.auth.models import Group, User
from unfold.admin import ModelAdmin
from unfold.decorators import display
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm

from inventory.admin.pages import ReadOnlyAdmin

admin.site.index_title = "Overview"
admin.site.index_template = "admin/dashboard.html"
# Nothing is deleted by the dozen: each page says why a row must stay.
admin.site.disable_action("delete_selected")

admin.site.unregister(User)
admin.site.unregister(Group)


@admin.register(User)
class PeopleAdmin(UserAdmin, ModelAdmin):  # type: ignore[type-arg]  # not subscriptable at run time
    form = UserChangeForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm


@admin.register(LogEntry)
class ActAdmin(ReadOnlyAdmin):
    """Who did what in the admin, newest first."""

    list_display = ("action_time", "user", "content_type", "object_repr", "what")
    list_filter = ("user", "content_type")
    list_select_related = ("user", "content_type")
    ordering = ("-id",)
    search_fields = ("=object_id", "object_repr__startswith")

    @display(description="Act")
    def what(self, entry: LogEntry) -> str:
        return entry.get_change_message()


@admin.register(Group)
class RoleAdmin(GroupAdmin, ModelAdmin):
    pass
